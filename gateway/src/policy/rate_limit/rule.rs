//! Rules as they are written, such as `100/min by user`.

use std::{fmt, net::IpAddr, str::FromStr, sync::Arc, time::Duration};

use contract::{Caller, Subject};
use kit::client_address::network;
use serde::{Deserialize, Deserializer, de::Error as _};

use super::bucket::Quota;

/// Whom a rule counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum By {
    /// Each client address; of IPv6 each /64, which one host has whole.
    Address,
    /// Each user; who is not signed in, by address. Service accounts are not counted.
    User,
    /// Each service account, and nobody else.
    Account,
    /// Whoever calls: each user, each service account; who is neither, by address.
    Caller,
    /// Each operation, whoever calls it.
    Route,
}

const WORDS: [(&str, By); 5] = [
    ("address", By::Address),
    ("user", By::User),
    ("account", By::Account),
    ("caller", By::Caller),
    ("route", By::Route),
];

impl By {
    fn word(self) -> &'static str {
        WORDS.iter().find(|(_, by)| *by == self).map_or("address", |(word, _)| word)
    }
}

/// How often somebody may call: `100/min by user`, `10/s by address`, `5000/10min by account`, `5/s by route`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RateRule {
    quota: Quota,
    by: By,
    scope: Arc<str>,
}

/// The text is no rule.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "{0:?} is no limit: write calls, a slash, a time and whom it counts, such as 100/min by user, 1000/10s by address; \
     1 to 1000000 calls in 1 s to 1 d, by address, user, account, caller or route"
)]
pub struct NotARule(String);

impl FromStr for RateRule {
    type Err = NotARule;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        parse(text).ok_or_else(|| NotARule(text.to_owned()))
    }
}

fn parse(text: &str) -> Option<RateRule> {
    let mut words = text.split_whitespace();
    let (rate, "by", by, None) = (words.next()?, words.next()?, words.next()?, words.next()) else {
        return None;
    };
    let (calls, window) = rate.split_once('/')?;
    let by = WORDS.iter().find(|(word, _)| *word == by)?.1;
    let digits = window.bytes().take_while(u8::is_ascii_digit).count();
    let (count, unit) = window.split_at(digits);
    let count: u64 = if count.is_empty() { 1 } else { number(count)? };
    let unit: u64 = match unit {
        "s" => 1,
        "min" => 60,
        "h" => 3_600,
        "d" => 86_400,
        _ => return None,
    };
    let window = Duration::from_secs(count.checked_mul(unit)?);
    let quota = Quota::new(u32::try_from(number(calls)?).ok()?, window)?;
    Some(RateRule { quota, by, scope: "".into() })
}

/// A number in its plain spelling.
fn number(text: &str) -> Option<u64> {
    text.bytes().all(|byte| byte.is_ascii_digit()).then(|| text.parse().ok()).flatten()
}

impl<'de> Deserialize<'de> for RateRule {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(D::Error::custom)
    }
}

impl fmt::Display for RateRule {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let seconds = self.quota.window().as_secs();
        let (count, unit) = match seconds {
            _ if seconds.is_multiple_of(86_400) => (seconds / 86_400, "d"),
            _ if seconds.is_multiple_of(3_600) => (seconds / 3_600, "h"),
            _ if seconds.is_multiple_of(60) => (seconds / 60, "min"),
            _ => (seconds, "s"),
        };
        let count = if count == 1 { String::new() } else { count.to_string() };
        write!(out, "{}/{count}{unit} by {}", self.quota.calls(), self.by.word())
    }
}

impl RateRule {
    /// Rules separated by commas.
    ///
    /// # Errors
    /// The first that is none.
    pub fn list(text: &str) -> Result<Vec<Self>, NotARule> {
        text.split(',').map(str::trim).filter(|rule| !rule.is_empty()).map(str::parse).collect()
    }

    /// The same rule with counts of its own: those of a service, or of one operation. The name stands in the answers' headers.
    #[must_use]
    pub fn within(self, scope: &str) -> Self {
        Self { scope: scope.into(), ..self }
    }

    /// Whether who calls must be known before it can be applied.
    #[must_use]
    pub fn needs_caller(&self) -> bool {
        matches!(self.by, By::User | By::Account | By::Caller)
    }

    pub(crate) fn quota(&self) -> Quota {
        self.quota
    }

    /// What the rule is called in answers: where it stands and whom it counts.
    pub(crate) fn name(&self) -> String {
        let word = self.by.word();
        let scope: String =
            self.scope.chars().filter(|c| matches!(c, ' '..='~') && !matches!(c, '"' | '\\')).collect();
        if scope.is_empty() { word.to_owned() } else { format!("{scope}-{word}") }
    }

    /// The bucket that a call is taken out of; `None` where the rule does not count it. A rule that changes begins anew.
    pub(crate) fn key(&self, operation: &str, address: IpAddr, caller: &Caller) -> Option<Arc<str>> {
        let whom = match (self.by, &caller.subject) {
            (By::Route, _) => format!("route:{operation}"),
            (By::User | By::Caller, Subject::User(id)) => format!("user:{id}"),
            (By::Account | By::Caller, Subject::Service(name)) => format!("account:{name}"),
            (By::User | By::Caller, external @ Subject::External { .. }) => external.to_string(),
            (By::User | By::Caller, Subject::Operator) => "operator".to_owned(),
            (By::Address, _) | (By::User | By::Caller, Subject::Anonymous) => {
                format!("address:{}", network(address))
            }
            (By::User, Subject::Service(_)) | (By::Account, _) => return None,
        };
        let (calls, seconds) = (self.quota.calls(), self.quota.window().as_secs());
        let (scope, by) = (&self.scope, self.by.word());
        Some(format!("platform:rate:{scope}:{by}:{calls}/{seconds}:{whom}").into())
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use contract::UserId;

    use super::*;

    #[test]
    fn rules_are_written_for_people_and_read_back_the_same() {
        for text in
            ["100/min by user", "10/s by address", "5000/10min by account", "5/30s by route", "1/d by caller"]
        {
            assert_eq!(text.parse::<RateRule>().unwrap().to_string(), text);
        }
        assert_eq!("7/60s by user".parse::<RateRule>().unwrap().to_string(), "7/min by user");
        assert_eq!(RateRule::list(" 1/s by user , 2/s by address ").unwrap().len(), 2);
        assert_eq!(RateRule::list("").unwrap(), []);
    }

    #[test]
    fn what_is_no_rule_is_told() {
        for text in [
            "",
            "100",
            "100/min",
            "100/min by",
            "100/min by planet",
            "0/s by user",
            "-1/s by user",
            "+1/s by user",
            "1000001/s by user",
            "1/0s by user",
            "1/2d by user",
            "1/ms by user",
            "1/s by user by user",
            "1.5/s by user",
            "1/99999999999999999999s by user",
            "1 /s by user",
        ] {
            assert!(
                text.parse::<RateRule>().unwrap_err().to_string().contains("such as 100/min by user"),
                "{text}"
            );
        }
        assert!(RateRule::list("1/s by user, x").is_err());
    }

    #[test]
    fn no_two_subjects_share_a_bucket_and_no_subject_has_two() {
        let caller = |subject| Caller { subject, ..Caller::anonymous() };
        let callers = [
            caller(Subject::Anonymous),
            caller(Subject::Operator),
            caller(Subject::External { issuer: "corp".to_owned(), subject: "7".to_owned() }),
            caller(Subject::User(UserId(7))),
            caller(Subject::Service("7".to_owned())),
            caller(Subject::Service("orders".to_owned())),
        ];
        let address: IpAddr = "192.0.2.1".parse().unwrap();
        let keys = |rule: &str| -> Vec<Option<Arc<str>>> {
            let rule: RateRule = rule.parse().unwrap();
            callers.iter().map(|caller| rule.key("getUser", address, caller)).collect()
        };
        let distinct = |keys: &[Option<Arc<str>>]| keys.iter().flatten().collect::<BTreeSet<_>>().len();
        assert_eq!(distinct(&keys("1/s by caller")), 6);
        assert_eq!((distinct(&keys("1/s by user")), keys("1/s by user").iter().flatten().count()), (4, 4));
        assert_eq!(
            (distinct(&keys("1/s by account")), keys("1/s by account").iter().flatten().count()),
            (2, 2)
        );
        assert_eq!(distinct(&keys("1/s by address")), 1);
        assert_eq!(distinct(&keys("1/s by route")), 1);
        let rule: RateRule = "1/s by address".parse().unwrap();
        let of = |rule: &RateRule, address: &str| {
            rule.key("x", address.parse().unwrap(), &Caller::anonymous()).unwrap()
        };
        assert_eq!(of(&rule, "2001:db8::1"), of(&rule, "2001:db8::ffff"));
        assert_eq!(of(&rule, "::ffff:1.2.3.4"), of(&rule, "1.2.3.4"));
        assert_ne!(of(&rule, "1.2.3.4"), of(&rule.clone().within("orders"), "1.2.3.4"));
        assert_ne!(of(&rule, "1.2.3.4"), of(&"2/s by address".parse().unwrap(), "1.2.3.4"));
    }
}
