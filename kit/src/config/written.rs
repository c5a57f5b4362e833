//! Writes the commented configuration file: every setting with its meaning, range, variable and default.

use std::fmt::Write as _;

use super::kind::Kind;
use super::table::{Fallback, SECTIONS, SETTINGS, Setting};

/// A file that sets nothing and explains everything: each setting is commented out at its default.
#[must_use]
pub fn commented_file() -> String {
    let mut out = String::from(
        "# Configuration of the platform. Every line is commented out and shows the default.\n\
         # A variable wins over this file, a flag over both: PLATFORM__GATEWAY__LISTEN=0.0.0.0:8001 sets gateway.listen.\n\
         # Each secret may stand in a file of its own: `master_key_file = \"/run/secrets/master-key\"`, or …__MASTER_KEY_FILE.\n\
         # `platform config check` finds faults, `platform config show` tells what holds and why.\n",
    );
    for setting in SETTINGS.iter().filter(|setting| setting.section().is_none()) {
        write_setting(&mut out, setting);
    }
    for (section, doc) in SECTIONS {
        let _ = write!(out, "\n\n# {doc}\n[{section}]\n");
        for setting in SETTINGS.iter().filter(|setting| setting.section() == Some(section)) {
            write_setting(&mut out, setting);
        }
    }
    out
}

fn write_setting(out: &mut String, setting: &Setting) {
    let _ = write!(
        out,
        "\n# {}\n# {}\n# Takes {}. {}\n",
        setting.doc,
        setting.why,
        setting.kind.allowed(),
        setting.variable()
    );
    match setting.fallback {
        Fallback::Value(text) => {
            let _ = writeln!(out, "#{} = {}", setting.name(), literal(&setting.kind, text));
        }
        Fallback::Derived(from) if setting.secret => {
            let _ = writeln!(out, "# Default: {from}.\n#{}_file = \"\"", setting.name());
        }
        Fallback::Derived(from) => {
            let _ = writeln!(out, "# Default: {from}.\n#{} = ", setting.name());
        }
    }
}

fn literal(kind: &Kind, text: &str) -> String {
    match kind {
        Kind::Bool | Kind::Integer { .. } => text.to_owned(),
        Kind::Networks => "[]".to_owned(),
        _ => format!("{text:?}"),
    }
}
