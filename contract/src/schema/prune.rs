//! Drops from a value what its schema does not declare.

use std::collections::HashSet;

use serde_json::Value;

use super::node::{Additional, NodeId, Schema};

impl Schema {
    /// Removes every property that no part of the schema names or allows outright. What stays keeps its order.
    pub fn prune(&self, node: NodeId, value: &mut Value) {
        let mut parts = Vec::new();
        self.parts(node, &mut parts, &mut HashSet::new());
        match value {
            Value::Object(map) => {
                let named = parts.iter().any(|part| !self.node(*part).object.properties.is_empty());
                let open = parts.iter().any(|part| {
                    matches!(self.node(*part).object.additional, Additional::Allowed | Additional::Fits(_))
                });
                map.retain(|key, inner| {
                    let mut declared = open || !named;
                    for part in &parts {
                        let object = &self.node(*part).object;
                        let ((Some(schema), _) | (None, Additional::Fits(schema))) =
                            (object.properties.get(key).copied(), object.additional)
                        else {
                            continue;
                        };
                        self.prune(schema, inner);
                        declared = true;
                    }
                    declared
                });
            }
            Value::Array(items) => {
                let schemas: Vec<NodeId> =
                    parts.iter().filter_map(|part| self.node(*part).array.items).collect();
                for item in items {
                    for schema in &schemas {
                        self.prune(*schema, item);
                    }
                }
            }
            _ => {}
        }
    }

    /// The node and all it combines.
    pub(super) fn parts(&self, node: NodeId, parts: &mut Vec<NodeId>, seen: &mut HashSet<NodeId>) {
        if !seen.insert(node) {
            return;
        }
        parts.push(node);
        let rules = self.node(node);
        for inner in rules.all_of.iter().chain(&rules.any_of).chain(&rules.one_of) {
            self.parts(*inner, parts, seen);
        }
    }
}
