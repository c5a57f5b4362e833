//! From what the configuration says of a composed operation to what is asked, in which order, and where each answer stands:
//! everything that can be wrong is found here, before anything is served. Pure: documents and compiled operations in, a plan out.

use std::collections::BTreeSet;

use contract::{
    operation::{Access, Operation},
    schema::Compiler,
};
use http::Method;
use kit::config::{ComposedSettings, ParameterSource, PartSettings, closest};
use serde_json::{Value, json};

use super::{
    fault::ComposeFault,
    merge::Put,
    order,
    parameters::{self, Declared, In},
    pointer::Pointer,
    schema::{self, Place},
};

/// A fault of the operation itself, or of the part of this number.
pub(crate) type Placed = (Option<usize>, ComposeFault);

/// Where operations are found, by the service and the `operationId` of its own document.
pub(crate) trait Known {
    /// The operation.
    fn operation(&self, service: &str, id: &str) -> Option<&Operation>;
    /// Ids of a service's operations; `None` where there is no such service.
    fn ids(&self, service: &str) -> Option<Vec<&str>>;
    /// Names of services.
    fn services(&self) -> Vec<&str>;
}

/// What is done for a composed operation.
#[derive(Debug)]
pub(super) struct Plan {
    pub(super) access: Access,
    pub(super) parts: Vec<Planned>,
    /// Its parameters, as a document has them.
    pub(super) parameters: Vec<Value>,
    /// The schema of its whole answer.
    pub(super) schema: Value,
}

/// One part.
#[derive(Debug)]
pub(super) struct Planned {
    pub(super) name: String,
    pub(super) required: bool,
    /// Its operation's path, as the gateway has it.
    pub(super) path: String,
    pub(super) fills: Vec<Fill>,
    /// Parts whose answers it needs first.
    pub(super) after: BTreeSet<usize>,
    pub(super) select: Pointer,
    pub(super) put: Put,
}

/// How a parameter is filled.
#[derive(Debug, Clone)]
pub(super) struct Fill {
    pub(super) name: String,
    pub(super) place: In,
    pub(super) source: Source,
    pub(super) required: bool,
}

/// Where a value comes from.
#[derive(Debug, Clone)]
pub(super) enum Source {
    Path(String),
    Query(String),
    Part(usize, Pointer),
    Value(String),
}

impl Plan {
    /// # Errors
    /// Everything that is wrong.
    pub(super) fn new(
        settings: &ComposedSettings,
        document: &Value,
        known: &impl Known,
    ) -> Result<Self, Vec<Placed>> {
        if settings.parts.is_empty() {
            return Err(vec![(None, ComposeFault::NoParts)]);
        }
        let mut planning = Planning { settings, document, faults: Vec::new() };
        let operations: Vec<Option<Found<'_>>> =
            (0..settings.parts.len()).map(|at| planning.find(known, at)).collect();
        if !planning.faults.is_empty() {
            return Err(planning.faults);
        }
        let found: Vec<Found<'_>> = operations.into_iter().flatten().collect();
        let plan = planning.plan(&found);
        if planning.faults.is_empty() { Ok(plan) } else { Err(planning.faults) }
    }
}

/// What a part calls.
struct Found<'k> {
    operation: &'k Operation,
    parameters: Vec<Declared>,
    /// Of its answer.
    schema: Value,
}

/// A member of the composed answer: its name, its schema, and whether it is always there.
type Member = (String, Value, bool);

struct Planning<'p> {
    settings: &'p ComposedSettings,
    document: &'p Value,
    faults: Vec<Placed>,
}

impl Planning<'_> {
    fn fault(&mut self, part: usize, fault: ComposeFault) {
        self.faults.push((Some(part), fault));
    }

    fn part(&self, at: usize) -> &PartSettings {
        &self.settings.parts[at]
    }

    fn find<'k>(&mut self, known: &'k impl Known, at: usize) -> Option<Found<'k>> {
        let found = self.look_up(known, at);
        match found {
            Ok(found) => Some(found),
            Err(fault) => {
                self.fault(at, fault);
                None
            }
        }
    }

    fn look_up<'k>(&self, known: &'k impl Known, at: usize) -> Result<Found<'k>, ComposeFault> {
        let part = self.part(at);
        let (service, id) = (part.service.as_str(), part.operation.as_str());
        if self.settings.parts.iter().take(at).any(|other| other.name == part.name) {
            return Err(ComposeFault::SamePart(part.name.clone()));
        }
        let Some(ids) = known.ids(service) else {
            return Err(ComposeFault::Service(service.to_owned(), meant(service, known.services())));
        };
        let Some(operation) = known.operation(service, id) else {
            return Err(ComposeFault::Operation(service.to_owned(), id.to_owned(), meant(id, ids)));
        };
        if operation.method != Method::GET {
            return Err(ComposeFault::NotGet(id.to_owned(), operation.method.to_string()));
        }
        let item = self.document.get("paths").and_then(|paths| paths.get(&operation.path));
        let written = item.and_then(|item| item.get("get")).unwrap_or(&Value::Null);
        let schema = schema::of_answer(self.document, written);
        Ok(Found {
            operation,
            parameters: parameters::declared(self.document, item.unwrap_or(&Value::Null), written),
            schema: schema.ok_or_else(|| ComposeFault::NoJson(id.to_owned()))?,
        })
    }

    fn plan(&mut self, found: &[Found<'_>]) -> Plan {
        let access = self.access(found);
        let mut names = Vec::new();
        let path = parameters::names(&self.settings.path);
        let mut parts = Vec::new();
        let mut asked = parameters::Asked::new(&path);
        for (at, called) in found.iter().enumerate() {
            let fills = self.fills(at, found, &path, &mut asked);
            asked.headers(&called.parameters, self.part(at).required);
            let after = fills.iter().filter_map(|fill| match fill.source {
                Source::Part(other, _) => Some(other),
                _ => None,
            });
            parts.push(Planned {
                name: self.part(at).name.clone(),
                required: self.part(at).required,
                path: called.operation.path.clone(),
                after: after.collect(),
                fills,
                select: Pointer::default(),
                put: Put::Member(self.part(at).name.clone()),
            });
        }
        for unused in asked.unused() {
            self.faults.push((None, ComposeFault::UnusedPathParameter(unused)));
        }
        if let Err(circle) = order::check(parts.iter().map(|part| &part.after)) {
            let circle: Vec<&str> = circle.iter().map(|at| self.part(*at).name.as_str()).collect();
            self.faults.push((None, ComposeFault::Cycle(circle.join(" → "))));
        }
        let mut properties = serde_json::Map::new();
        let mut required = Vec::new();
        for (at, part) in parts.iter_mut().enumerate() {
            match self.place(at, &found[at].schema, &mut names) {
                Ok((select, put, members)) => {
                    (part.select, part.put) = (select, put);
                    for (name, schema, always) in members {
                        if always {
                            required.push(name.clone());
                        }
                        properties.insert(name, schema);
                    }
                }
                Err(fault) => self.fault(at, fault),
            }
        }
        let mut schema = json!({ "type": "object", "properties": properties });
        if !required.is_empty() {
            schema["required"] = required.into();
        }
        Plan { access, parts, parameters: asked.finish(), schema }
    }

    /// As strict as the strictest required part, unless the settings say more.
    fn access(&mut self, found: &[Found<'_>]) -> Access {
        let asked = |required: bool| {
            let parts = self.settings.parts.iter().zip(found);
            parts
                .filter(move |(part, _)| part.required == required)
                .map(|(part, found)| (&part.name, &found.operation.access))
        };
        let optional = asked(false).find(|(_, access)| rank(access) > 0);
        let strictest = asked(true).max_by_key(|(_, access)| rank(access));
        let least = strictest.map_or(Access::Public, |(_, access)| access.clone());
        let Some(given) = self.settings.access.clone() else {
            return if rank(&least) == 0 && optional.is_some() { Access::Optional } else { least };
        };
        let fault = match (strictest, optional) {
            (Some((name, access)), _) if rank(access) > rank(&given) => {
                Some(ComposeFault::Weak(given.clone(), access.clone(), name.clone()))
            }
            (_, Some((name, access))) if rank(&given) == 0 => {
                Some(ComposeFault::Blind(name.clone(), access.clone()))
            }
            _ => None,
        };
        self.faults.extend(fault.map(|fault| (None, fault)));
        given
    }

    fn fills(
        &mut self,
        at: usize,
        found: &[Found<'_>],
        path: &[String],
        asked: &mut parameters::Asked,
    ) -> Vec<Fill> {
        let declared = &found[at].parameters;
        let mut faults = Vec::new();
        for name in self.part(at).parameters.keys() {
            if !declared.iter().any(|parameter| parameter.name == *name) {
                let names = declared.iter().map(|parameter| parameter.name.as_str());
                faults.push(ComposeFault::Parameter(name.clone(), meant(name, names)));
            }
        }
        let mut fills = Vec::new();
        for parameter in declared {
            let Some(source) = self.part(at).parameters.get(&parameter.name) else {
                if parameter.required && parameter.place != In::Header {
                    faults.push(ComposeFault::Unfilled(parameter.name.clone()));
                }
                continue;
            };
            match self.source(at, found, path, parameter, source) {
                Ok(source) => {
                    asked.fill(parameter, &source);
                    let name = parameter.name.clone();
                    fills.push(Fill { name, place: parameter.place, source, required: parameter.required });
                }
                Err(fault) => faults.push(fault),
            }
        }
        self.faults.extend(faults.into_iter().map(|fault| (Some(at), fault)));
        fills
    }

    fn source(
        &self,
        at: usize,
        found: &[Found<'_>],
        path: &[String],
        parameter: &Declared,
        source: &ParameterSource,
    ) -> Result<Source, ComposeFault> {
        let name = parameter.name.clone();
        if parameter.place == In::Header {
            return Err(ComposeFault::Place(name));
        }
        match source {
            ParameterSource::Path(from) if path.contains(from) => Ok(Source::Path(from.clone())),
            ParameterSource::Path(from) => {
                let meant = meant(from, path.iter().map(String::as_str));
                Err(ComposeFault::NoPathParameter(name, from.clone(), meant))
            }
            ParameterSource::Query(from) => Ok(Source::Query(from.clone())),
            ParameterSource::Value(text) => {
                let mut compiler = Compiler::new(self.document);
                let pointer = format!("parameters.{name}");
                let node = compiler
                    .compile(&parameter.schema, &pointer)
                    .map_err(|error| ComposeFault::Schema(error.to_string()))?;
                match compiler.finish().check_parameter(node, text).first() {
                    Some(violation) => Err(ComposeFault::Value(name, violation.detail.clone())),
                    None => Ok(Source::Value(text.clone())),
                }
            }
            ParameterSource::Part { name: from, pointer } => {
                let parts = &self.settings.parts;
                let Some(other) = parts.iter().position(|part| part.name == *from) else {
                    let meant = meant(from, parts.iter().map(|part| part.name.as_str()));
                    return Err(ComposeFault::NoPart(name, from.clone(), meant));
                };
                if self.part(at).required && !self.part(other).required {
                    return Err(ComposeFault::WaitsForOptional(name, from.clone()));
                }
                let field = format!("parameters.{name}");
                let read = read(&field, pointer)?;
                match schema::at(self.document, &found[other].schema, &read) {
                    Place::Nothing => Err(ComposeFault::Nothing(field, pointer.clone(), from.clone())),
                    Place::Schema(schema) if !schema::can_be_text(self.document, &schema) => {
                        Err(ComposeFault::NoText(field, pointer.clone(), from.clone()))
                    }
                    Place::Schema(_) | Place::Anything => Ok(Source::Part(other, read)),
                }
            }
        }
    }

    /// What is taken of a part's answer, where it stands, and the members it brings: name, schema, whether it is always there.
    /// `names` are those that others have brought.
    fn place(
        &self,
        at: usize,
        answer: &Value,
        names: &mut Vec<(String, usize)>,
    ) -> Result<(Pointer, Put, Vec<Member>), ComposeFault> {
        let part = self.part(at);
        let written = part.select.as_deref().unwrap_or_default();
        let select = read("select", written)?;
        let selected = match schema::at(self.document, answer, &select) {
            Place::Nothing => {
                let (pointer, part) = (written.to_owned(), part.name.clone());
                return Err(ComposeFault::Nothing("select".to_owned(), pointer, part));
            }
            Place::Schema(schema) => schema,
            Place::Anything => json!({}),
        };
        let (put, members) = match (&part.member, part.merge) {
            (Some(_), true) => return Err(ComposeFault::TwoPlaces),
            (member, false) => {
                let name = member.clone().unwrap_or_else(|| part.name.clone());
                let schema = if part.required { selected } else { schema::or_null(&selected) };
                (Put::Member(name.clone()), vec![(name, schema, true)])
            }
            (None, true) => {
                let all = schema::named(self.document, &selected).ok_or(ComposeFault::Open)?;
                let members = all.properties.into_iter().map(|(name, schema)| {
                    let always = part.required && all.required.contains(&name);
                    (name, schema, always)
                });
                let members: Vec<_> = members.collect();
                (Put::Merged(members.iter().map(|(name, ..)| name.clone()).collect()), members)
            }
        };
        for (name, ..) in &members {
            if let Some((_, other)) = names.iter().find(|(known, _)| known == name) {
                return Err(ComposeFault::Clash(name.clone(), self.part(*other).name.clone()));
            }
        }
        names.extend(members.iter().map(|(name, ..)| (name.clone(), at)));
        Ok((select, put, members))
    }
}

fn read(field: &str, pointer: &str) -> Result<Pointer, ComposeFault> {
    pointer.parse().map_err(|_| ComposeFault::Pointer(field.to_owned(), pointer.to_owned()))
}

/// How much an access asks for.
fn rank(access: &Access) -> u8 {
    match access {
        Access::Public => 0,
        Access::Optional => 1,
        Access::SignedIn | Access::Client => 2,
        Access::Role(_) => 3,
    }
}

fn meant<'a>(name: &str, candidates: impl IntoIterator<Item = &'a str>) -> String {
    closest(name, candidates).map_or_else(String::new, |meant| format!("; did you mean {meant}?"))
}

#[cfg(test)]
mod tests;
