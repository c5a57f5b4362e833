//! Checks the parameters of a request.

use std::borrow::Cow;

use http::HeaderMap;

use super::{Operation, Parameter, Style};
use crate::{Problem, ProblemKind, Violation, problem::Place};

impl Operation {
    /// Checks the parameters: `path` gives a path parameter's decoded text by name.
    ///
    /// # Errors
    /// 400 for a single-valued query key that is repeated, 422 for all values that don't fit.
    pub fn check_parameters<'p>(
        &self,
        path: impl Fn(&str) -> Option<Cow<'p, str>>,
        query: Option<&str>,
        headers: &HeaderMap,
    ) -> Result<(), Problem> {
        let mut violations = Vec::new();
        for parameter in &self.parameters {
            if parameter.style == Style::Unread {
                continue;
            }
            let texts = match parameter.place {
                Place::Path => path(&parameter.name).map(|text| vec![text.into_owned()]).unwrap_or_default(),
                Place::Query => query_values(query, &parameter.name),
                Place::Header => {
                    let value = headers.get(&parameter.name).and_then(|value| value.to_str().ok());
                    value.map(|text| vec![text.to_owned()]).unwrap_or_default()
                }
                Place::Body => Vec::new(),
            };
            violations.extend(self.faults(parameter, &texts)?.into_iter().map(|detail| Violation {
                place: parameter.place,
                pointer: format!("/{}", parameter.name),
                detail,
            }));
        }
        if violations.is_empty() { Ok(()) } else { Err(Problem::invalid(violations)) }
    }

    fn faults(&self, parameter: &Parameter, texts: &[String]) -> Result<Vec<String>, Problem> {
        let details =
            |violations: Vec<Violation>| violations.into_iter().map(|violation| violation.detail).collect();
        let Some(first) = texts.first() else {
            return Ok(if parameter.required { vec!["field required".to_owned()] } else { Vec::new() });
        };
        if parameter.is_list {
            return Ok(details(match parameter.style {
                Style::Separated(separator) if texts.len() == 1 => {
                    let items: Vec<&str> = first.split(separator).collect();
                    self.schema.check_parameter_list(parameter.schema, &items)
                }
                _ => {
                    let items: Vec<&str> = texts.iter().map(String::as_str).collect();
                    self.schema.check_parameter_list(parameter.schema, &items)
                }
            }));
        }
        if texts.len() > 1 {
            return Err(Problem::new(
                ProblemKind::MalformedRequest,
                format!("The query parameter {} stands twice", parameter.name),
            ));
        }
        Ok(details(self.schema.check_parameter(parameter.schema, first)))
    }
}

/// Every value of a query key, decoded as a form field.
fn query_values(query: Option<&str>, name: &str) -> Vec<String> {
    url::form_urlencoded::parse(query.unwrap_or_default().as_bytes())
        .filter(|(key, _)| key == name)
        .map(|(_, value)| value.into_owned())
        .collect()
}
