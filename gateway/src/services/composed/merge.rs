//! Puts the parts' answers together, in the order in which they are declared, text by text: no value is read and written anew.

use serde_json::value::RawValue;

use super::pointer::Members;

/// Where a part's answer stands in the composed one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Put {
    /// As this member; null while the part is missing.
    Member(String),
    /// These of its members stand in the composed answer itself; not there while the part is missing.
    Merged(Vec<String>),
}

impl Put {
    /// Whether an answer can stand there.
    pub(super) fn takes(&self, answer: &RawValue) -> bool {
        match self {
            Self::Member(_) => true,
            Self::Merged(_) => answer.get().starts_with('{'),
        }
    }
}

/// The composed answer; `None` is a part that is missing.
pub(super) fn merged<'p>(parts: impl Iterator<Item = (&'p Put, Option<&'p RawValue>)>) -> String {
    let mut text = String::from("{");
    let mut add = |name: &str, value: &str| {
        if text.len() > 1 {
            text.push(',');
        }
        text.push_str(&serde_json::Value::from(name).to_string());
        text.push(':');
        text.push_str(value);
    };
    for (put, answer) in parts {
        match (put, answer) {
            (Put::Member(name), answer) => add(name, answer.map_or("null", RawValue::get)),
            (Put::Merged(names), Some(answer)) => {
                let members = Members::of(answer).map(|members| members.0).unwrap_or_default();
                for (name, value) in members.iter().filter(|(name, _)| names.contains(name)) {
                    add(name, value.get());
                }
            }
            (Put::Merged(_), None) => {}
        }
    }
    text.push('}');
    text
}

/// A value as the text of a parameter, every digit of it; `None` for null, objects and lists.
pub(super) fn parameter(value: &RawValue) -> Option<String> {
    match value.get().as_bytes().first()? {
        b'"' => serde_json::from_str(value.get()).ok(),
        b'{' | b'[' | b'n' => None,
        _ => Some(value.get().to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::Value;

    use super::*;

    fn raw(text: &str) -> Box<RawValue> {
        RawValue::from_string(text.to_owned()).unwrap()
    }

    #[test]
    fn every_digit_stays_and_a_missing_part_is_null_or_not_there() {
        let (member, order) = (Put::Member("n".to_owned()), raw("9007199254740993"));
        let merge = Put::Merged(vec!["b".to_owned(), "a".to_owned()]);
        let both = raw(r#"{"a": 1.10, "other": {}, "b": [1e400]}"#);
        let of = |parts: [(&Put, Option<&RawValue>); 2]| merged(parts.into_iter());
        assert_eq!(
            of([(&member, Some(&order)), (&merge, Some(&both))]),
            r#"{"n":9007199254740993,"a":1.10,"b":[1e400]}"#
        );
        assert_eq!(of([(&merge, None), (&member, None)]), r#"{"n":null}"#);
        assert!(merge.takes(&both) && !merge.takes(&order) && member.takes(&order));
    }

    #[test]
    fn a_parameter_is_the_text_of_a_value_and_never_a_thing_of_several_parts() {
        for (value, text) in [
            (r#""a\u002fb\n""#, Some("a/b\n")),
            ("9223372036854775808", Some("9223372036854775808")),
            ("1.10", Some("1.10")),
            ("true", Some("true")),
            ("null", None),
            ("[1]", None),
            ("{}", None),
        ] {
            assert_eq!(parameter(&raw(value)).as_deref(), text, "{value}");
        }
    }

    fn answers() -> impl Strategy<Value = Vec<(Put, Option<String>)>> {
        let value = prop_oneof![
            any::<i64>().prop_map(|number| number.to_string()),
            "[a-z\"\\\\\u{1}é]{0,4}".prop_map(|text| Value::from(text).to_string()),
        ];
        let object = prop::collection::vec(value.clone(), 0..3).prop_map(|values| {
            let members = values.iter().enumerate().map(|(at, value)| format!("\"m{at}\":{value}"));
            format!("{{{}}}", members.collect::<Vec<_>>().join(","))
        });
        let part = prop_oneof![
            (any::<bool>(), value).prop_map(|(is_there, value)| (false, is_there.then_some(value))),
            (any::<bool>(), object).prop_map(|(is_there, object)| (true, is_there.then_some(object))),
        ];
        prop::collection::vec(part, 0..5).prop_map(|parts| {
            let put = |at: usize, merge: bool| {
                if merge {
                    Put::Merged((0..3).map(|member| format!("m{member}")).collect())
                } else {
                    Put::Member(format!("p{at}\""))
                }
            };
            // Merged parts would clash with each other here; the plan sees to that.
            let mut merged = false;
            let kept = parts.into_iter().filter(|(merge, _)| !merge || !std::mem::replace(&mut merged, true));
            kept.enumerate().map(|(at, (merge, answer))| (put(at, merge), answer)).collect()
        })
    }

    proptest! {
        #[test]
        fn whatever_the_parts_are_it_is_one_object_with_each_in_its_place(parts in answers()) {
            let texts: Vec<Option<Box<RawValue>>> = parts.iter().map(|(_, answer)| answer.as_deref().map(raw)).collect();
            let text = merged(parts.iter().map(|(put, _)| put).zip(texts.iter().map(Option::as_deref)));
            let value: Value = serde_json::from_str(&text).unwrap();
            let mut order = Vec::new();
            for (put, answer) in &parts {
                let answer: Option<Value> = answer.as_deref().map(|answer| serde_json::from_str(answer).unwrap());
                match put {
                    Put::Member(name) => {
                        prop_assert_eq!(&value[name], &answer.unwrap_or_default());
                        order.push(name.clone());
                    }
                    Put::Merged(_) => for (name, member) in answer.as_ref().and_then(Value::as_object).into_iter().flatten() {
                        prop_assert_eq!(&value[name], member);
                        order.push(name.clone());
                    },
                }
            }
            prop_assert_eq!(value.as_object().unwrap().keys().cloned().collect::<Vec<_>>(), order);
        }
    }
}
