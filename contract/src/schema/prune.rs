//! Drops from a value what its schema does not declare.

use std::collections::HashSet;

use serde_json::Value;

use super::node::{Additional, NodeId, Schema};

impl Schema {
    /// Removes every property that no part of the schema names or allows outright. What stays keeps its order.
    pub fn prune(&self, node: NodeId, value: &mut Value) {
        self.prune_by(&self.all_parts([node]), value);
    }

    /// Every value is visited once, with all the schemas that may hold there together: one after the other they would be walked
    /// as often as there are ways through schemas that name themselves.
    fn prune_by(&self, parts: &[NodeId], value: &mut Value) {
        match value {
            Value::Object(map) => {
                let named = parts.iter().any(|part| !self.node(*part).object.properties.is_empty());
                let open = parts.iter().any(|part| {
                    matches!(self.node(*part).object.additional, Additional::Allowed | Additional::Fits(_))
                });
                map.retain(|key, inner| {
                    let schemas = parts.iter().filter_map(|part| {
                        let object = &self.node(*part).object;
                        match (object.properties.get(key), object.additional) {
                            (Some(schema), _) => Some(*schema),
                            (None, Additional::Fits(schema)) => Some(schema),
                            (None, _) => None,
                        }
                    });
                    let mut schemas = schemas.peekable();
                    let declared = open || !named || schemas.peek().is_some();
                    if declared && (inner.is_array() || inner.is_object()) {
                        self.prune_by(&self.all_parts(schemas), inner);
                    }
                    declared
                });
            }
            Value::Array(items) => {
                let inner = self.all_parts(parts.iter().filter_map(|part| self.node(*part).array.items));
                for item in items {
                    self.prune_by(&inner, item);
                }
            }
            _ => {}
        }
    }

    fn all_parts(&self, nodes: impl IntoIterator<Item = NodeId>) -> Vec<NodeId> {
        let (mut parts, mut seen) = (Vec::new(), HashSet::new());
        for node in nodes {
            self.parts(node, &mut parts, &mut seen);
        }
        parts
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
