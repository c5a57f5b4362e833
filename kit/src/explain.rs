//! A request that is explained, not served: it goes the way that every request goes, the stages tell what they find, and where
//! something would be sent or changed the way ends.
//!
//! The stages are the ones that serve; there is no other account of what they do. What they tell is kept for the task that
//! explains, so that a stage which moves its work to another task must end there itself.

use std::{
    future::Future,
    sync::{Arc, Mutex, PoisonError},
};

use serde_json::{Map, Value};

tokio::task_local! {
    static TOLD: Arc<Mutex<Map<String, Value>>>;
}

/// What `work` comes to, and what its stages told, in their order.
pub async fn explained<F: Future>(work: F) -> (F::Output, Map<String, Value>) {
    let told = Arc::new(Mutex::new(Map::new()));
    let output = TOLD.scope(Arc::clone(&told), work).await;
    let told = told.lock().unwrap_or_else(PoisonError::into_inner).clone();
    (output, told)
}

/// Whether this request is explained: then nothing may be sent, counted elsewhere or changed for it.
#[must_use]
pub fn is_on() -> bool {
    TOLD.try_with(|_| ()).is_ok()
}

/// Tells of a stage, where the request is explained. What is told again takes the place of what was told first.
pub fn tell(stage: &str, value: impl FnOnce() -> Value) {
    with(|told| {
        told.insert(stage.to_owned(), value());
    });
}

/// Tells one more of what there can be several of.
pub fn add(stage: &str, value: impl FnOnce() -> Value) {
    with(|told| {
        if let Value::Array(list) = told.entry(stage).or_insert_with(|| Value::Array(Vec::new())) {
            list.push(value());
        }
    });
}

fn with(change: impl FnOnce(&mut Map<String, Value>)) {
    let _ = TOLD.try_with(|told| change(&mut told.lock().unwrap_or_else(PoisonError::into_inner)));
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[tokio::test]
    async fn what_is_told_is_kept_for_the_request_that_is_explained_alone() {
        tell("lost", || json!(1));
        assert!(!is_on());
        let (output, told) = explained(async {
            tell("a", || json!(1));
            add("b", || json!(1));
            add("b", || json!(2));
            is_on()
        })
        .await;
        assert!(output);
        assert_eq!(Value::Object(told), json!({ "a": 1, "b": [1, 2] }));
    }
}
