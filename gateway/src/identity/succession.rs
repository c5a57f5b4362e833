//! How the keys of one purpose follow one another: next → active → retired.
//!
//! There is always one active key and one next key. The next is published as soon as it is made, and is made long before it is
//! needed: whoever verifies, here or elsewhere, has it before the first token is signed with it. A retired key goes on
//! verifying until the last token it signed has expired. No I/O and no clock here.

use std::time::Duration;

use contract::Timestamp;

use super::{algorithm::Algorithm, keys::SigningFault};
use crate::store::keys::{State, StoredKey};

/// Beyond the life of its tokens, how long a retired key verifies: for replicas that learn late, and the leeway on `exp`.
const MARGIN: Duration = Duration::from_mins(2);

/// What holds for the keys of one purpose, now.
pub(crate) struct Terms<M> {
    /// Makes a next key.
    pub(crate) make: M,
    /// How long a key is published before it signs.
    pub(crate) publish: Duration,
    /// Life of the longest token signed with these keys.
    pub(crate) longest_token: Duration,
    pub(crate) now: Timestamp,
}

/// The keys of one purpose, oldest first.
pub(crate) struct Succession<M> {
    pub(crate) keys: Vec<StoredKey>,
    terms: Terms<M>,
}

impl<M: FnMut(Algorithm) -> Result<StoredKey, SigningFault>> Succession<M> {
    /// Of the stored keys.
    pub(crate) fn new(keys: Vec<StoredKey>, terms: Terms<M>) -> Self {
        Self { keys, terms }
    }

    /// Makes what is missing, and lets a next key whose moment has come sign.
    pub(crate) fn advance(&mut self) -> Result<(), SigningFault> {
        let due = self.find(State::Next).is_some_and(|next| is_due(next, self.terms.now));
        if due || self.find(State::Active).is_none() {
            self.promote()?;
        } else if self.find(State::Next).is_none() {
            let algorithm = self.active_algorithm()?;
            self.make_next(algorithm)?;
        }
        self.note_longest_token();
        Ok(())
    }

    /// Settles when the next key signs: now, where it has been published for long enough. An algorithm other than its own
    /// replaces it. Gives its kid.
    pub(crate) fn rotate(&mut self, algorithm: Option<Algorithm>) -> Result<String, SigningFault> {
        let wanted = match algorithm {
            Some(algorithm) => Some(algorithm.name()),
            None => self.find(State::Next).map(|next| next.algorithm.as_str()),
        };
        if self.find(State::Next).is_none_or(|next| Some(next.algorithm.as_str()) != wanted) {
            self.keys.retain(|key| key.state != State::Next);
            let algorithm = algorithm.map_or_else(|| self.active_algorithm(), Ok)?;
            self.make_next(algorithm)?;
        }
        let publish = self.terms.publish;
        let Some(next) = self.keys.iter_mut().find(|key| key.state == State::Next) else {
            return Err(SigningFault::Generate);
        };
        let from = later(next.created_at, publish);
        // Asked for again, it comes no later.
        next.activated_at = Some(next.activated_at.map_or(from, |settled| settled.min(from)));
        let kid = next.kid.clone();
        self.advance()?;
        Ok(kid)
    }

    /// Takes a key out of use at once, for good: from now on it verifies nothing. `false` where there is no such key.
    pub(crate) fn retire(&mut self, kid: &str) -> Result<bool, SigningFault> {
        let Some(key) = self.keys.iter().find(|key| key.kid == kid) else { return Ok(false) };
        let now = self.terms.now.microseconds();
        match key.state {
            State::Active => self.promote()?,
            State::Next => {
                let (algorithm, rotating) = (Algorithm::of_name(&key.algorithm)?, key.activated_at.is_some());
                self.retire_where(|key| key.kid == kid, now);
                self.make_next(algorithm)?;
                if rotating {
                    self.rotate(None)?;
                }
            }
            State::Retired => {}
        }
        for key in self.keys.iter_mut().filter(|key| key.kid == kid) {
            key.verifies_until = Some(key.verifies_until.map_or(now, |until| until.min(now)));
        }
        self.note_longest_token();
        Ok(true)
    }

    /// The active key retires, the next signs, and another next is made and published.
    fn promote(&mut self) -> Result<(), SigningFault> {
        let now = self.terms.now.microseconds();
        if self.find(State::Next).is_none() {
            let algorithm = self.active_algorithm()?;
            self.make_next(algorithm)?;
        }
        let longest = self.find(State::Active).map_or(0, |key| key.longest_token);
        let longest = Duration::from_secs(longest.unsigned_abs()).max(self.terms.longest_token);
        self.retire_where(|key| key.state == State::Active, later(now, longest + MARGIN));
        if let Some(next) = self.keys.iter_mut().find(|key| key.state == State::Next) {
            next.state = State::Active;
            next.activated_at = Some(now);
        }
        let algorithm = self.active_algorithm()?;
        self.make_next(algorithm)
    }

    /// A key that signs no more needs no private half: who steals the database later finds none.
    fn retire_where(&mut self, which: impl Fn(&StoredKey) -> bool, verifies_until: i64) {
        let now = self.terms.now.microseconds();
        for key in self.keys.iter_mut().filter(|key| which(key)) {
            key.state = State::Retired;
            key.private_sealed = Vec::new();
            key.retired_at = Some(now);
            key.verifies_until = Some(verifies_until);
        }
    }

    fn make_next(&mut self, algorithm: Algorithm) -> Result<(), SigningFault> {
        self.keys.push((self.terms.make)(algorithm)?);
        Ok(())
    }

    /// A replica with a longer life of tokens than the others, or than it had, lets keys verify for that long.
    fn note_longest_token(&mut self) {
        let longest = i64::try_from(self.terms.longest_token.as_secs()).unwrap_or(i64::MAX);
        for key in self.keys.iter_mut().filter(|key| key.state != State::Retired) {
            key.longest_token = key.longest_token.max(longest);
        }
    }

    fn active_algorithm(&self) -> Result<Algorithm, SigningFault> {
        self.find(State::Active).map_or(Ok(Algorithm::default()), |key| Algorithm::of_name(&key.algorithm))
    }

    fn find(&self, state: State) -> Option<&StoredKey> {
        self.keys.iter().find(|key| key.state == state)
    }
}

/// Whether a next key is to sign from now on.
pub(crate) fn is_due(key: &StoredKey, now: Timestamp) -> bool {
    key.state == State::Next && key.activated_at.is_some_and(|from| from <= now.microseconds())
}

fn later(moment: i64, duration: Duration) -> i64 {
    moment.saturating_add(i64::try_from(duration.as_micros()).unwrap_or(i64::MAX))
}

#[cfg(test)]
mod tests;
