//! Where answers are kept: in this process, or in Valkey for several.
//!
//! An address has an index: a generation, and what its answers vary by. An answer's key holds the generation, so that a new
//! one ends every answer of the address at once, whoever it was for.

use std::{sync::Arc, time::Duration};

use bytes::Bytes;
use http::HeaderMap;
use kit::metrics::CacheHeld;
use moka::{ops::compute::Op, sync::Cache};
use redis::aio::MultiplexedConnection;
use serde::{Deserialize, Serialize};

use crate::{
    policy::cache::{
        key::{self, Identity, Key},
        rules::KEPT,
        stored::Stored,
    },
    valkey::Valkey,
};

/// Sets of fields that the answers of one address may vary by; the oldest goes.
const VARIED: usize = 8;

/// How long a change keeps answers out of Valkey that were asked for before it: longer than any call takes.
const CHANGE_REMEMBERED: Duration = Duration::from_hours(1);

/// Of an address.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(super) struct Index {
    pub(super) generation: u128,
    vary: Vec<Vec<String>>,
}

impl Index {
    fn new(vary: Vec<Vec<String>>) -> Self {
        Self { generation: uuid::Uuid::new_v4().as_u128(), vary }
    }

    fn with(&self, names: &[String]) -> Self {
        let mut next = self.clone();
        if !next.vary.iter().any(|known| known == names) {
            next.vary.push(names.to_vec());
            if next.vary.len() > VARIED {
                next.vary.remove(0);
            }
        }
        next
    }

    /// As Valkey keeps it: the generation first, in as many characters as ever.
    fn written(&self) -> String {
        format!("{:032x}{}", self.generation, serde_json::json!(self.vary))
    }

    fn read(text: &[u8]) -> Option<Self> {
        let generation = u128::from_str_radix(std::str::from_utf8(text.get(..32)?).ok()?, 16).ok()?;
        Some(Self { generation, vary: serde_json::from_slice(text.get(32..)?).ok()? })
    }
}

/// What is known of an address, and what is stored for one request.
#[derive(Debug, Clone)]
pub(super) struct Found {
    pub(super) address: Key,
    pub(super) index: Option<Arc<Index>>,
    pub(super) stored: Option<Arc<Stored>>,
}

impl Found {
    fn nothing(address: Key) -> Self {
        Self { address, index: None, stored: None }
    }

    /// Under what the answers to a request may be, by all that its address is known to vary by.
    fn candidates(&self, identity: &Identity, headers: &HeaderMap) -> Vec<Key> {
        let Some(index) = &self.index else { return Vec::new() };
        let of = |names: &Vec<String>| key::variant(self.address, index.generation, identity, names, headers);
        index.vary.iter().map(of).collect()
    }

    /// Requests of one such key get one answer, as far as is known.
    pub(super) fn flight(&self, identity: &Identity, headers: &HeaderMap) -> Key {
        let mut names: Vec<String> = self.index.iter().flat_map(|index| index.vary.concat()).collect();
        names.sort_unstable();
        names.dedup();
        let generation = self.index.as_ref().map_or(0, |index| index.generation);
        key::variant(self.address, generation, identity, &names, headers)
    }
}

/// An answer on its way into the store.
pub(super) struct Entry<'e> {
    pub(super) identity: &'e Identity,
    pub(super) headers: &'e HeaderMap,
    pub(super) vary: &'e [String],
    pub(super) stored: Arc<Stored>,
    pub(super) kept: Duration,
}

/// The store.
pub(super) enum Store {
    Memory(Memory),
    Valkey(Arc<Valkey>),
}

impl Store {
    pub(super) async fn find(&self, address: Key, identity: &Identity, headers: &HeaderMap) -> Found {
        match self {
            Self::Memory(memory) => memory.find(address, identity, headers),
            Self::Valkey(valkey) => find_shared(valkey, address, identity, headers)
                .await
                .unwrap_or_else(|| Found::nothing(address)),
        }
    }

    /// Keeps it, unless its address has changed since `found`. True where it is kept.
    pub(super) async fn put(&self, found: &Found, entry: Entry<'_>) -> bool {
        match self {
            Self::Memory(memory) => memory.put(found, entry),
            Self::Valkey(valkey) => put_shared(valkey, found, entry).await.unwrap_or(false),
        }
    }

    /// What this process holds.
    pub(super) fn held(&self) -> Option<CacheHeld> {
        match self {
            Self::Memory(memory) => Some(CacheHeld {
                answers: memory.answers.entry_count(),
                bytes: memory.answers.weighted_size() + memory.indices.weighted_size(),
            }),
            Self::Valkey(_) => None,
        }
    }

    /// Ends every answer of an address.
    pub(super) async fn end(&self, address: Key) {
        let index = Index::new(Vec::new());
        match self {
            Self::Memory(memory) => memory.indices.insert(address, Arc::new(index)),
            Self::Valkey(valkey) => {
                let ask = |mut valkey: MultiplexedConnection| async move {
                    let mut set = redis::cmd("SET");
                    set.arg(index_name(address))
                        .arg(index.written())
                        .arg("PX")
                        .arg(millis(CHANGE_REMEMBERED));
                    set.exec_async(&mut valkey).await
                };
                let _told_by_valkey = valkey.ask(ask).await;
            }
        }
    }
}

/// In this process.
pub(super) struct Memory {
    indices: Cache<Key, Arc<Index>>,
    answers: Cache<Key, Arc<Stored>>,
}

impl Memory {
    /// For as many bytes; an eighth is for the indices.
    pub(super) fn new(bytes: u64) -> Self {
        let for_indices = (bytes / 8).max(64 * 1024);
        Self {
            indices: Cache::builder()
                .max_capacity(for_indices)
                .weigher(|_, index: &Arc<Index>| {
                    weight(160 + index.vary.iter().flatten().map(|name| name.len() + 32).sum::<usize>())
                })
                .build(),
            answers: Cache::builder()
                .max_capacity(bytes.saturating_sub(for_indices))
                .weigher(|_, stored: &Arc<Stored>| weight(stored.size()))
                .time_to_live(KEPT)
                .build(),
        }
    }

    fn find(&self, address: Key, identity: &Identity, headers: &HeaderMap) -> Found {
        let mut found = Found { index: self.indices.get(&address), ..Found::nothing(address) };
        let all = found.candidates(identity, headers).into_iter();
        found.stored = all.filter_map(|key| self.answers.get(&key)).max_by_key(|stored| stored.received);
        found
    }

    fn put(&self, found: &Found, entry: Entry<'_>) -> bool {
        let seen = found.index.as_ref().map(|index| index.generation);
        let mut generation = None;
        let _ = self.indices.entry(found.address).and_compute_with(|now| {
            let now = now.map(moka::Entry::into_value);
            if now.as_ref().map(|index| index.generation) != seen {
                return Op::Nop;
            }
            let next =
                now.map_or_else(|| Index::new(vec![entry.vary.to_vec()]), |index| index.with(entry.vary));
            generation = Some(next.generation);
            Op::Put(Arc::new(next))
        });
        let Some(generation) = generation else { return false };
        let key = key::variant(found.address, generation, entry.identity, entry.vary, entry.headers);
        self.answers.insert(key, entry.stored);
        // It would make room a while later, by hundreds of answers at once: that is no bound of bytes.
        self.answers.run_pending_tasks();
        true
    }
}

fn weight(bytes: usize) -> u32 {
    u32::try_from(bytes).unwrap_or(u32::MAX)
}

async fn find_shared(
    valkey: &Valkey,
    address: Key,
    identity: &Identity,
    headers: &HeaderMap,
) -> Option<Found> {
    let index: Option<Vec<u8>> =
        valkey
            .ask(|mut valkey| async move {
                redis::cmd("GET").arg(index_name(address)).query_async(&mut valkey).await
            })
            .await
            .ok()?;
    let mut found =
        Found { index: index.and_then(|text| Index::read(&text)).map(Arc::new), ..Found::nothing(address) };
    let keys = found.candidates(identity, headers);
    if keys.is_empty() {
        return Some(found);
    }
    let mut get = redis::cmd("MGET");
    for key in &keys {
        get.arg(answer_name(address, *key));
    }
    let answers: Vec<Option<Vec<u8>>> =
        valkey.ask(|mut valkey| async move { get.query_async(&mut valkey).await }).await.ok()?;
    found.stored = answers
        .into_iter()
        .filter_map(|answer| Some(Arc::new(Stored::read(&Bytes::from(answer?))?)))
        .max_by_key(|stored| stored.received);
    Some(found)
}

/// Both at once, and only where the generation is still the one that was seen.
const PUT: &str = "local now = redis.call('GET', KEYS[1])
if string.sub(now or '', 1, 32) ~= ARGV[1] then return 0 end
redis.call('SET', KEYS[1], ARGV[2], 'PX', ARGV[3])
redis.call('SET', KEYS[2], ARGV[4], 'PX', ARGV[5])
return 1";

async fn put_shared(valkey: &Valkey, found: &Found, entry: Entry<'_>) -> Option<bool> {
    let seen = found.index.as_ref().map(|index| format!("{:032x}", index.generation)).unwrap_or_default();
    let index = found
        .index
        .as_ref()
        .map_or_else(|| Index::new(vec![entry.vary.to_vec()]), |index| index.with(entry.vary));
    let key = key::variant(found.address, index.generation, entry.identity, entry.vary, entry.headers);
    let mut put = redis::cmd("EVAL");
    put.arg(PUT)
        .arg(2)
        .arg(index_name(found.address))
        .arg(answer_name(found.address, key))
        .arg(seen)
        .arg(index.written())
        .arg(millis(KEPT))
        .arg(entry.stored.written()?)
        .arg(millis(entry.kept).max(1));
    let kept: i64 = valkey.ask(|mut valkey| async move { put.query_async(&mut valkey).await }).await.ok()?;
    Some(kept == 1)
}

/// The braces keep an address in one slot of a cluster.
fn index_name(address: Key) -> String {
    format!("platform:cache:1:{{{}}}", address.hex())
}

fn answer_name(address: Key, answer: Key) -> String {
    format!("{}:{}", index_name(address), answer.hex())
}

fn millis(time: Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX)
}
