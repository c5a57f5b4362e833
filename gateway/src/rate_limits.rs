//! The limits as requests meet them: counted in Valkey for all replicas where there is one, else here.

use std::{net::IpAddr, sync::Arc, time::Instant};

use contract::{Caller, Problem};
use redis::Script;
use serde_json::json;

use crate::{
    policy::rate_limit::{Buckets, Quota, RateRule, RateState, Spent},
    valkey::Valkey,
};

/// `policy::rate_limit::bucket::spend`, on Valkey's own clock. A value that is no number counts as a whole bucket.
const SPEND: &str = r"
local clock = redis.call('TIME')
local now = clock[1] * 1000000 + clock[2]
local cost, whole = tonumber(ARGV[1]), tonumber(ARGV[2])
local whole_at = tonumber(redis.call('GET', KEYS[1]) or 0) or 0
local missing = math.min(math.max(whole_at - now, 0), whole)
if missing + cost > whole then return {0, missing} end
missing = missing + cost
redis.call('SET', KEYS[1], string.format('%.0f', now + missing), 'PX', math.ceil(missing / 1000))
return {1, missing}
";

/// Counts calls.
pub(crate) struct RateLimits {
    buckets: Buckets,
    shared: Option<Arc<Valkey>>,
    spend: Script,
}

impl RateLimits {
    /// Shared by all replicas, where there is a Valkey.
    pub(crate) fn new(shared: Option<Arc<Valkey>>) -> Self {
        Self { buckets: Buckets::new(Instant::now()), shared, spend: Script::new(SPEND) }
    }

    /// Counts one call by each rule, in their order, up to the first that refuses.
    ///
    /// # Errors
    /// 429 with `Retry-After`.
    pub(crate) async fn check(
        &self,
        rules: &[RateRule],
        operation: &str,
        address: IpAddr,
        caller: &Caller,
    ) -> Result<RateState, Problem> {
        let mut state = RateState::default();
        for rule in rules {
            let Some(key) = rule.key(operation, address, caller) else { continue };
            if kit::explain::is_on() {
                kit::explain::add("rate_limits", || json!({ "rule": rule.name(), "counts": &*key }));
                continue;
            }
            let spent = self.spend(&key, rule.quota()).await;
            state.add(rule, spent);
            if !spent.allowed {
                kit::metrics::rate_limited(operation, rule.name());
                return Err(state.refusal(rule, spent));
            }
        }
        Ok(state)
    }

    /// While Valkey is there, this replica's bucket follows the shared one: what it knows to be empty needs no question, and
    /// when Valkey goes nobody begins anew.
    async fn spend(&self, key: &Arc<str>, quota: Quota) -> Spent {
        let Some(valkey) = &self.shared else { return self.buckets.spend(key, quota, Instant::now()) };
        // Taken before the question: this bucket is never behind the shared one.
        let now = Instant::now();
        if let Some(refused) = self.buckets.refuses(key, quota, now) {
            return refused;
        }
        let asked = valkey.ask(|mut connection| async move {
            let mut invocation = self.spend.key(&**key);
            invocation.arg(quota.cost()).arg(quota.whole());
            invocation.invoke_async::<(u8, u64)>(&mut connection).await
        });
        match asked.await {
            Ok((allowed, missing)) => {
                let spent = Spent { allowed: allowed == 1, missing: missing.min(quota.whole()) };
                self.buckets.learn(key, spent, now);
                spent
            }
            Err(_) => self.buckets.spend(key, quota, Instant::now()),
        }
    }
}
