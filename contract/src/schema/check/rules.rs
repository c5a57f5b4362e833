//! The rules of one schema about one string, number or array, told as a fault.

use crate::schema::node::{Bound, Node, NumberRules, StringRules};

pub(super) fn string_fault(rules: &StringRules, text: &str) -> Option<String> {
    let length =
        if rules.minimum_length > 0 || rules.maximum_length.is_some() { text.chars().count() } else { 0 };
    if length < rules.minimum_length {
        return Some(format!("value must have at least {} characters", rules.minimum_length));
    }
    if let Some(maximum) = rules.maximum_length.filter(|maximum| length > *maximum) {
        return Some(format!("value must have at most {maximum} characters"));
    }
    if let Some(pattern) = rules.pattern.as_ref().filter(|pattern| !pattern.is_match(text)) {
        return Some(format!("value must match {}", pattern.as_str()));
    }
    rules.format.and_then(|format| format.fault(text)).map(str::to_owned)
}

#[expect(clippy::cast_precision_loss, reason = "bounds in documents are f64")]
pub(super) fn number_fault(rules: &NumberRules, value: f64, integer: Option<i64>) -> Option<String> {
    if let Some((least, most)) = rules.integer_range
        && integer.is_none_or(|integer| integer < least || integer > most)
        && value.fract() == 0.0
        && !(least as f64..=most as f64).contains(&value)
    {
        return Some(format!("value must be from {least} to {most}"));
    }
    match rules.minimum {
        Some((least, Bound::Inclusive)) if value < least => {
            return Some(format!("value must be at least {least}"));
        }
        Some((least, Bound::Exclusive)) if value <= least => {
            return Some(format!("value must be more than {least}"));
        }
        _ => {}
    }
    match rules.maximum {
        Some((most, Bound::Inclusive)) if value > most => {
            return Some(format!("value must be at most {most}"));
        }
        Some((most, Bound::Exclusive)) if value >= most => {
            return Some(format!("value must be less than {most}"));
        }
        _ => {}
    }
    let step = rules.multiple_of.filter(|step| (value / step).fract().abs() > 1e-9)?;
    Some(format!("value must be a multiple of {step}"))
}

pub(super) fn items_fault(node: &Node, count: usize) -> Option<String> {
    if count < node.array.minimum_items {
        return Some(format!("the array must have at least {} items", node.array.minimum_items));
    }
    let maximum = node.array.maximum_items.filter(|maximum| count > *maximum)?;
    Some(format!("the array must have at most {maximum} items"))
}
