//! What values of declared services, issuers and composed operations look like in the file: for its JSON Schema alone.

use schemars::JsonSchema;

/// A time, such as `500ms`, `10s` or `2m`.
#[derive(JsonSchema)]
#[schemars(transparent)]
#[expect(dead_code, reason = "a shape, never made")]
pub(super) struct Time(#[schemars(regex(pattern = r"^( *[0-9]+ *(ms|s|m|min|h|d) *)+$"))] String);

/// A size, in bytes or such as `512KiB`.
#[derive(JsonSchema)]
#[schemars(untagged)]
#[expect(dead_code, reason = "a shape, never made")]
pub(super) enum Size {
    /// Bytes.
    Number(u64),
    /// With a unit.
    Text(#[schemars(regex(pattern = r"^ *[0-9]+ *([KkMmGg]?[Ii]?[Bb])? *$"))] String),
}

/// Where a parameter comes from.
#[derive(JsonSchema)]
#[schemars(untagged, deny_unknown_fields)]
#[expect(dead_code, reason = "a shape, never made")]
pub(super) enum Parameter {
    /// A parameter of the composed path.
    Path {
        /// Its name.
        path: String,
    },
    /// A key of the composed query.
    Query {
        /// Its name.
        query: String,
    },
    /// A value in another part's answer.
    Part {
        /// The other part.
        from: String,
        /// A JSON Pointer into its answer.
        pointer: String,
    },
    /// Always this.
    Value {
        /// The text.
        value: String,
    },
}
