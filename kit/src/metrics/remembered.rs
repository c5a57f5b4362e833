//! Series that a thread has written to before, found by name without a lock and without a copy of the name.

use std::{cell::RefCell, collections::HashMap, thread::LocalKey};

/// The series of one family that this thread has written to: by service, operation (or nothing) and class of status. As many as
/// the family has.
pub(super) type Remembered<M> =
    RefCell<HashMap<String, HashMap<String, Vec<(&'static str, M)>, Hasher>, Hasher>>;

type Hasher = foldhash::fast::RandomState;

/// Does something with a series, which `make` gives where this thread has not seen it.
pub(super) fn with<M: Clone + 'static>(
    remembered: &'static LocalKey<Remembered<M>>,
    (service, operation, class): (&str, &str, &'static str),
    make: impl FnOnce() -> M,
    write: impl FnOnce(&M),
) {
    remembered.with_borrow_mut(|services| {
        let known = services
            .get(service)
            .and_then(|operations| operations.get(operation))
            .and_then(|classes| classes.iter().find(|(known, _)| *known == class));
        if let Some((_, series)) = known {
            return write(series);
        }
        let series = make();
        write(&series);
        let classes =
            services.entry(service.to_owned()).or_default().entry(operation.to_owned()).or_default();
        classes.push((class, series));
    });
}
