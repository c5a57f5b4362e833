//! Judges values held whole, where schemas combine others: what was decided of a value is remembered, and the steps are counted.
//!
//! A schema that names itself in its alternatives would otherwise be walked as often as there are ways through it.

use std::collections::{HashMap, HashSet};

use serde::Deserializer;
use serde_json::Value;

use super::{
    rules::items_fault,
    unique,
    walk::{At, Walk},
};
use crate::schema::node::{NodeId, Types};

/// Steps that any check may take: some tens of milliseconds.
const STEPS: usize = 1_000_000;

/// Steps more for each byte of the text: the shortest object, tried against a hundred alternatives.
const STEPS_A_BYTE: usize = 32;

/// Bytes of a text that are one step.
const BYTES_A_STEP: usize = 32;

/// Schemas that may hold for one value by way of each other: more are a circle.
const LONGEST_CHAIN: u8 = 64;

/// Memory of more places than this is given back rather than cleared for the next value.
const KEPT: usize = 1_024;

/// A schema and the value it is asked about, which stays where it is while it is judged.
type Place = (NodeId, *const Value);

/// What a walk remembers while it judges values.
#[derive(Default)]
pub(super) struct Judged {
    /// Whether it is only asked if a value fits: nothing is told, and the first fault ends the walk.
    pub(super) deciding: bool,
    /// Whether a fault was met while deciding.
    pub(super) failed: bool,
    /// Where the steps came to their end.
    pub(super) given_up_at: Option<String>,
    steps_left: usize,
    chain: u8,
    decided: HashMap<Place, bool, foldhash::fast::RandomState>,
    told: HashSet<Place, foldhash::fast::RandomState>,
}

impl Judged {
    /// For a text of so many bytes.
    pub(super) fn within(bytes: usize) -> Self {
        Self { steps_left: STEPS.saturating_add(bytes.saturating_mul(STEPS_A_BYTE)), ..Self::default() }
    }

    fn forget(&mut self) {
        if self.decided.capacity() > KEPT || self.told.capacity() > KEPT {
            self.decided = HashMap::default();
            self.told = HashSet::default();
        } else {
            self.decided.clear();
            self.told.clear();
        }
    }

    #[cfg(test)]
    pub(super) fn steps_left(&self) -> usize {
        self.steps_left
    }
}

impl Walk<'_> {
    /// Judges a value, telling every fault.
    pub(super) fn value(&mut self, id: NodeId, value: &Value) {
        self.judge(id, value);
        // Another value may come to stand at the same address.
        self.judged.forget();
    }

    fn judge(&mut self, id: NodeId, value: &Value) {
        if self.ended() || !self.spend(step(value)) {
            return;
        }
        let container = value.is_array() || value.is_object();
        let combines = self.schema.node(id).needs_whole_value();
        let place = (id, std::ptr::from_ref(value));
        if combines && container {
            if !self.judged.deciding {
                if !self.judged.told.insert(place) {
                    return;
                }
            } else if let Some(fits) = self.judged.decided.get(&place) {
                self.judged.failed = !fits;
                return;
            }
        }
        self.own_rules(id, value);
        if combines {
            self.combinations(id, value);
            if container && self.judged.deciding && self.judged.given_up_at.is_none() {
                self.judged.decided.insert(place, !self.judged.failed);
            }
        }
    }

    /// Whether there is nothing left to find out.
    fn ended(&self) -> bool {
        (self.judged.deciding && self.judged.failed) || self.judged.given_up_at.is_some()
    }

    fn spend(&mut self, steps: usize) -> bool {
        if let Some(left) = self.judged.steps_left.checked_sub(steps) {
            self.judged.steps_left = left;
            true
        } else {
            self.give_up();
            false
        }
    }

    fn give_up(&mut self) {
        let pointer = self.pointer().to_owned();
        self.judged.given_up_at.get_or_insert(pointer);
    }

    /// The node's rules other than its combinations.
    fn own_rules(&mut self, id: NodeId, value: &Value) {
        match value {
            Value::Array(items) => self.array(id, items),
            Value::Object(map) => self.object(id, map),
            // A parameter's text, which is no JSON and so can hold it.
            Value::String(text) if text.contains('\0') => {
                self.fault(|| "a string holds the character U+0000");
            }
            scalar => {
                if let Err(error) = scalar.deserialize_any(At { node: Some(id), walk: self }) {
                    self.fault(|| error.to_string());
                }
            }
        }
    }

    fn array(&mut self, id: NodeId, items: &[Value]) {
        if !self.allows(Some(id), Types::ARRAY) {
            return;
        }
        let node = self.schema.node(id);
        if let Some(inner) = node.array.items {
            for (index, item) in items.iter().enumerate() {
                if self.ended() {
                    return;
                }
                self.at(index, |walk| walk.inside(inner, item));
            }
        }
        if let Some(fault) = items_fault(node, items.len()) {
            self.fault(|| fault);
        }
    }

    fn object(&mut self, id: NodeId, map: &serde_json::Map<String, Value>) {
        if !self.allows(Some(id), Types::OBJECT) {
            return;
        }
        for (key, inner) in map {
            if self.ended() || !self.spend(1) {
                return;
            }
            let (node, fault) = self.property(Some(id), key);
            self.below(key, |walk| {
                if let Some(fault) = fault {
                    walk.fault(|| fault);
                }
                if let Some(node) = node {
                    walk.inside(node, inner);
                }
            });
        }
        self.missing(id, map.len(), |name| map.contains_key(name));
    }

    /// A value inside the one that was judged until here.
    fn inside(&mut self, id: NodeId, value: &Value) {
        let chain = std::mem::take(&mut self.judged.chain);
        self.judge(id, value);
        self.judged.chain = chain;
    }

    fn combinations(&mut self, id: NodeId, value: &Value) {
        if self.judged.chain == LONGEST_CHAIN {
            self.give_up();
            return;
        }
        self.judged.chain += 1;
        self.combined(id, value);
        self.judged.chain -= 1;
    }

    fn combined(&mut self, id: NodeId, value: &Value) {
        let schema = self.schema;
        let node = schema.node(id);
        for inner in &node.all_of {
            self.judge(*inner, value);
        }
        if !self.ended()
            && !node.any_of.is_empty()
            && !node.any_of.iter().any(|inner| self.fits(*inner, value))
        {
            self.fault(|| "value fits none of the allowed forms");
        }
        if !self.ended() && !node.one_of.is_empty() {
            match node.one_of.iter().filter(|inner| self.fits(**inner, value)).take(2).count() {
                1 => {}
                0 => self.fault(|| "value fits none of the allowed forms"),
                _ => self.fault(|| "value fits more than one of the allowed forms"),
            }
        }
        if !self.ended() && node.not.is_some_and(|inner| self.fits(inner, value)) {
            self.fault(|| "value has a form that is not allowed");
        }
        let items = value.as_array().filter(|_| node.array.unique && !self.ended());
        if items.is_some_and(|items| self.spend(unique::steps(items)) && !unique::differ(items)) {
            self.fault(|| "the items must differ from each other");
        }
        let values = node.one_of_values.as_ref().filter(|_| value.is_array() || value.is_object());
        if values.is_some_and(|values| !values.contains(value)) {
            self.fault(|| "value must be one of those listed");
        }
    }

    fn fits(&mut self, id: NodeId, value: &Value) -> bool {
        let deciding = std::mem::replace(&mut self.judged.deciding, true);
        let failed = std::mem::replace(&mut self.judged.failed, false);
        self.judge(id, value);
        self.judged.deciding = deciding;
        let fits = !std::mem::replace(&mut self.judged.failed, failed);
        fits && self.judged.given_up_at.is_none()
    }
}

fn step(value: &Value) -> usize {
    1 + value.as_str().map_or(0, |text| text.len() / BYTES_A_STEP)
}
