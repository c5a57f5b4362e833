//! Arguments of `platform key`.

use clap::{Subcommand, ValueEnum};

/// `platform key …`
#[derive(Debug, Clone, Subcommand)]
pub(crate) enum KeyCommand {
    /// List the signing keys, oldest first
    List {
        /// Only those of one purpose
        #[arg(long, value_enum, env = "PLATFORM_KEY_PURPOSE", value_name = "PURPOSE")]
        purpose: Option<Purpose>,
    },
    /// Have the next key sign, once it has been published for long enough; no token is broken
    #[command(
        after_help = "The next key is published from the moment it is made. Where that is longer ago than\n\
                            gateway.key_publish_time it signs at once, else from the moment told.\n\
                            For example: platform key rotate --algorithm ES256"
    )]
    Rotate {
        /// What the keys sign
        #[arg(long, value_enum, env = "PLATFORM_KEY_PURPOSE", value_name = "PURPOSE", default_value_t = Purpose::Access)]
        purpose: Purpose,
        /// How the next key signs [default: as the one before]
        #[arg(
            long,
            value_enum,
            ignore_case = true,
            env = "PLATFORM_KEY_ALGORITHM",
            value_name = "ALGORITHM"
        )]
        algorithm: Option<Algorithm>,
    },
    /// Take a key out of use at once, because somebody else may have it: all its tokens stop working
    Retire {
        /// The key's name, as in the list
        kid: String,
        /// Don't ask
        #[arg(long, short, env = "PLATFORM_YES")]
        yes: bool,
    },
}

/// What a key signs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Purpose {
    // Access tokens, for clients
    Access,
    // Internal tokens, for services
    Internal,
}

impl Purpose {
    /// Its name in the API.
    #[must_use]
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Access => "access",
            Self::Internal => "internal",
        }
    }
}

/// How a key signs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Algorithm {
    // Ed25519
    #[value(name = "EdDSA")]
    EdDsa,
    // ECDSA on P-256
    #[value(name = "ES256")]
    Es256,
}

impl Algorithm {
    /// Its name in the API.
    #[must_use]
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::EdDsa => "EdDSA",
            Self::Es256 => "ES256",
        }
    }
}
