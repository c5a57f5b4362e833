//! How many calls of one service are in flight at most; what is more is turned away at once and does not wait.

/// A count with a bound.
#[derive(Debug)]
pub(crate) struct Limit {
    most: usize,
    taken: usize,
}

impl Limit {
    pub(crate) fn new(most: usize) -> Self {
        Self { most: most.max(1), taken: 0 }
    }

    /// Takes a place, if one is free.
    pub(crate) fn take(&mut self) -> bool {
        let free = self.taken < self.most;
        self.taken += usize::from(free);
        free
    }

    /// Gives a place back.
    pub(crate) fn give_back(&mut self) {
        self.taken = self.taken.saturating_sub(1);
    }

    /// Places taken.
    pub(crate) fn taken(&self) -> usize {
        self.taken
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_place_that_is_given_back_can_be_taken_again_and_no_more_than_there_are() {
        let mut limit = Limit::new(2);
        assert!(limit.take() && limit.take() && !limit.take());
        limit.give_back();
        assert!(limit.take() && !limit.take());
        assert_eq!(limit.taken(), 2);
    }
}
