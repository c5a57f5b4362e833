//! What an answer tells of the limits that its request met: `RateLimit`, `RateLimit-Policy`
//! (draft-ietf-httpapi-ratelimit-headers), and 429.

use contract::{Problem, ProblemKind};
use http::{HeaderMap, HeaderName, HeaderValue};

use super::{bucket::Spent, rule::RateRule};

/// What is left of a quota, and the seconds until it is whole again.
pub(crate) const LIMIT: HeaderName = HeaderName::from_static("ratelimit");
/// The quotas.
pub(crate) const POLICY: HeaderName = HeaderName::from_static("ratelimit-policy");

/// What is left to one caller, by each rule that counted the request.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct RateState(Vec<(HeaderValue, HeaderValue)>);

impl RateState {
    pub(crate) fn add(&mut self, rule: &RateRule, spent: Spent) {
        let (quota, name) = (rule.quota(), rule.name());
        let policy = format!("\"{name}\";q={};w={}", quota.calls(), quota.window().as_secs());
        let reset = spent.reset().as_micros().div_ceil(1_000_000);
        let limit = format!("\"{name}\";r={};t={reset}", spent.remaining(quota));
        if let (Ok(policy), Ok(limit)) = (HeaderValue::try_from(policy), HeaderValue::try_from(limit)) {
            self.0.push((policy, limit));
        }
    }

    /// Writes it on an answer. A rule is a member of a list each: further ones go beside those that are there.
    pub(crate) fn mark(&self, headers: &mut HeaderMap) {
        for (policy, limit) in &self.0 {
            headers.append(POLICY, policy.clone());
            headers.append(LIMIT, limit.clone());
        }
    }

    /// 429 by the rule that refused, with all that is known.
    pub(crate) fn refusal(self, rule: &RateRule, spent: Spent) -> Problem {
        let problem = Problem::new(ProblemKind::TooManyRequests, format!("More calls than {rule}"))
            .retry_after(spent.wait(rule.quota()));
        self.0
            .into_iter()
            .fold(problem, |problem, (policy, limit)| problem.header(POLICY, policy).header(LIMIT, limit))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_tells_quota_rest_and_time() {
        let rule = "100/min by user".parse::<RateRule>().unwrap().within("orders");
        let mut state = RateState::default();
        state.add(&rule, Spent { allowed: true, missing: 57_000_001 });
        state.add(&"5/s by address".parse().unwrap(), Spent { allowed: true, missing: 200_000 });
        let mut headers = HeaderMap::new();
        state.mark(&mut headers);
        let told =
            |name| headers.get_all(name).iter().map(|value| value.to_str().unwrap()).collect::<Vec<_>>();
        assert_eq!(told("ratelimit-policy"), ["\"orders-user\";q=100;w=60", "\"address\";q=5;w=1"]);
        assert_eq!(told("ratelimit"), ["\"orders-user\";r=4;t=58", "\"address\";r=4;t=1"]);
    }

    #[test]
    fn a_refusal_says_when_to_come_back() {
        let rule: RateRule = "100/min by user".parse().unwrap();
        let spent = Spent { allowed: false, missing: 59_900_000 };
        let mut state = RateState::default();
        state.add(&rule, spent);
        let problem = state.refusal(&rule, spent);
        let told = |name: &str| {
            problem.headers.iter().find(|(found, _)| found == name).map(|(_, value)| value.to_str().unwrap())
        };
        assert_eq!(told("retry-after"), Some("1"));
        assert_eq!(told("ratelimit"), Some("\"user\";r=0;t=60"));
        assert_eq!(told("ratelimit-policy"), Some("\"user\";q=100;w=60"));
        assert_eq!(problem.kind, ProblemKind::TooManyRequests);
    }

    #[test]
    fn a_name_can_t_break_out_of_its_string() {
        let rule = "1/s by user".parse::<RateRule>().unwrap().within("a\";q=9\\\r\nx");
        assert_eq!(rule.name(), "a;q=9x-user");
    }
}
