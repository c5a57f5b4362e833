//! In which order parts can be asked: each as soon as those that it waits for have answered, all others at once.

use std::collections::BTreeSet;

/// Whether every part can be asked at some time.
///
/// # Errors
/// Parts that wait for each other, the first of them again at the end.
pub(super) fn check<'a>(after: impl Iterator<Item = &'a BTreeSet<usize>>) -> Result<(), Vec<usize>> {
    let after: Vec<&BTreeSet<usize>> = after.collect();
    let mut done = BTreeSet::new();
    loop {
        let open: Vec<usize> = (0..after.len()).filter(|part| !done.contains(part)).collect();
        let ready: Vec<usize> = open
            .iter()
            .copied()
            .filter(|part| after[*part].iter().all(|other| done.contains(other)))
            .collect();
        match (open.first(), ready.is_empty()) {
            (None, _) => return Ok(()),
            (Some(first), true) => return Err(circle(&after, &done, *first)),
            _ => done.extend(ready),
        }
    }
}

/// Each open part waits for another open one: following these ends in a circle.
fn circle(after: &[&BTreeSet<usize>], done: &BTreeSet<usize>, first: usize) -> Vec<usize> {
    let mut way = vec![first];
    while let Some(next) =
        way.last().and_then(|part| after[*part].iter().copied().find(|other| !done.contains(other)))
    {
        if let Some(begin) = way.iter().position(|part| *part == next) {
            way.push(next);
            return way.split_off(begin);
        }
        way.push(next);
    }
    way
}

/// Which parts are under way, and which can begin.
#[derive(Debug)]
pub(super) struct Progress {
    waits_for: Vec<BTreeSet<usize>>,
    begun: Vec<bool>,
}

impl Progress {
    pub(super) fn new<'a>(after: impl Iterator<Item = &'a BTreeSet<usize>>) -> Self {
        let waits_for: Vec<BTreeSet<usize>> = after.cloned().collect();
        let begun = vec![false; waits_for.len()];
        Self { waits_for, begun }
    }

    /// A part has ended, one way or the other.
    pub(super) fn ended(&mut self, part: usize) {
        for waiting in &mut self.waits_for {
            waiting.remove(&part);
        }
    }

    /// Those that can begin now and have not.
    pub(super) fn begin(&mut self) -> Vec<usize> {
        let ready: Vec<usize> = (0..self.begun.len())
            .filter(|part| !self.begun[*part] && self.waits_for[*part].is_empty())
            .collect();
        for part in &ready {
            self.begun[*part] = true;
        }
        ready
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn graph() -> impl Strategy<Value = Vec<BTreeSet<usize>>> {
        (1_usize..7)
            .prop_flat_map(|count| prop::collection::vec(prop::collection::btree_set(0..count, 0..3), count))
    }

    proptest! {
        #[test]
        fn what_can_be_asked_is_asked_once_and_after_what_it_waits_for(after in graph(), seed in any::<u64>()) {
            let checked = check(after.iter());
            if let Err(circle) = &checked {
                prop_assert!(circle.len() > 1 && circle.first() == circle.last());
                for pair in circle.windows(2) {
                    prop_assert!(after[pair[0]].contains(&pair[1]));
                }
            }
            let (mut progress, mut chance) = (Progress::new(after.iter()), fastrand::Rng::with_seed(seed));
            let (mut begun, mut ended, mut under_way) = (BTreeSet::new(), BTreeSet::new(), Vec::new());
            loop {
                for part in progress.begin() {
                    prop_assert!(begun.insert(part) && after[part].is_subset(&ended));
                    under_way.push(part);
                }
                if under_way.is_empty() {
                    break;
                }
                let part = under_way.swap_remove(chance.usize(..under_way.len()));
                ended.insert(part);
                progress.ended(part);
            }
            prop_assert_eq!(checked.is_ok(), ended.len() == after.len());
        }

        #[test]
        fn independent_parts_begin_together(count in 1_usize..9) {
            let after = vec![BTreeSet::new(); count];
            prop_assert_eq!(Progress::new(after.iter()).begin(), (0..count).collect::<Vec<_>>());
        }
    }
}
