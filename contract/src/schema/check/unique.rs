//! Whether the items of an array differ from each other, as JSON Schema means it: `1` and `1.0` are one number, and the order
//! of an object's properties says nothing.

use std::{
    cmp::Ordering,
    collections::HashSet,
    hash::{Hash, Hasher},
};

use serde_json::{Number, Value};

/// Whether no two items are equal.
pub(super) fn differ(items: &[Value]) -> bool {
    let mut seen = HashSet::with_capacity(items.len());
    items.iter().all(|item| seen.insert(Canonical(item)))
}

/// Values that are read to find it out.
pub(super) fn steps(items: &[Value]) -> usize {
    let of = |value: &Value| match value {
        Value::Array(items) => 1 + steps(items),
        Value::Object(map) => {
            1 + map.values().map(|value| 1 + steps(std::slice::from_ref(value))).sum::<usize>()
        }
        _ => 1,
    };
    items.iter().map(of).sum()
}

/// A value, equal to every other that is the same to JSON Schema.
struct Canonical<'v>(&'v Value);

impl PartialEq for Canonical<'_> {
    fn eq(&self, other: &Self) -> bool {
        match (self.0, other.0) {
            (Value::Number(one), Value::Number(other)) => Numeric::of(one) == Numeric::of(other),
            (Value::Array(one), Value::Array(other)) => {
                one.len() == other.len()
                    && one.iter().zip(other).all(|(one, other)| Canonical(one) == Canonical(other))
            }
            (Value::Object(one), Value::Object(other)) => {
                let same = |(key, one): (&String, &Value)| {
                    other.get(key).is_some_and(|other| Canonical(one) == Canonical(other))
                };
                one.len() == other.len() && one.iter().all(same)
            }
            (one, other) => one == other,
        }
    }
}

impl Eq for Canonical<'_> {}

impl Hash for Canonical<'_> {
    fn hash<H: Hasher>(&self, state: &mut H) {
        std::mem::discriminant(self.0).hash(state);
        match self.0 {
            Value::Null => {}
            Value::Bool(value) => value.hash(state),
            Value::Number(number) => Numeric::of(number).hash(state),
            Value::String(text) => text.hash(state),
            Value::Array(items) => {
                items.len().hash(state);
                for item in items {
                    Canonical(item).hash(state);
                }
            }
            Value::Object(map) => {
                let mut entries: Vec<(&String, &Value)> = map.iter().collect();
                entries.sort_unstable_by_key(|(key, _)| *key);
                entries.len().hash(state);
                for (key, value) in entries {
                    key.hash(state);
                    Canonical(value).hash(state);
                }
            }
        }
    }
}

/// A number by its value.
#[derive(PartialEq, Eq, Hash)]
enum Numeric {
    Integer(i128),
    Bits(u64),
}

impl Numeric {
    fn of(number: &Number) -> Self {
        let integer = number.as_i64().map(i128::from).or_else(|| number.as_u64().map(i128::from));
        match (integer, number.as_f64()) {
            (Some(integer), _) => Self::Integer(integer),
            (None, Some(value)) => Self::of_float(value),
            (None, None) => Self::Bits(0),
        }
    }

    #[expect(clippy::cast_possible_truncation, reason = "an integer below 2^65 in size is an i128")]
    fn of_float(value: f64) -> Self {
        let small = value.abs().partial_cmp(&2_f64.powi(65)) == Some(Ordering::Less);
        if small && value.fract() == 0.0 { Self::Integer(value as i128) } else { Self::Bits(value.to_bits()) }
    }
}
