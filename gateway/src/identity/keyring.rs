//! The signing keys of this replica, kept equal to the stored ones, and the rotation of those.
//!
//! `watch` has every replica read the table several times a second, and as soon as it is told of a change, so that it knows a
//! new key long before that signs (`gateway.key_publish_time`), and a compromised one within the second. A replica that meets a key it does not know reads the table at once, before it refuses.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use arc_swap::ArcSwap;
use contract::Problem;
use kit::database::{Database, DatabaseError, notify};
use tokio::sync::Mutex;

use super::{
    algorithm::{Algorithm, generate},
    keys::{Keys, Purpose, SigningFault, verifies},
    master_key::MasterKey,
    succession::{Succession, Terms, is_due},
};
use crate::store::{
    keys::{self, StoredKey},
    revocations::CHANNEL,
};

/// For keys that are not known, the table is read at most once in this time.
const UNKNOWN_PAUSE: Duration = Duration::from_secs(1);

/// A change that another replica was first with is tried again this often.
const TRIES: u32 = 5;

/// Why keys are not read or changed.
#[derive(Debug, thiserror::Error)]
pub(crate) enum KeyringFault {
    #[error(transparent)]
    Database(#[from] DatabaseError),
    #[error(transparent)]
    Signing(#[from] SigningFault),
    #[error("other replicas change the signing keys all the time")]
    Contended,
}

impl From<KeyringFault> for Problem {
    fn from(fault: KeyringFault) -> Self {
        match fault {
            KeyringFault::Database(error) => error.into(),
            KeyringFault::Contended => {
                Self::unavailable("Service unavailable", Duration::from_secs(1)).because(fault)
            }
            KeyringFault::Signing(fault) => Self::internal(fault),
        }
    }
}

/// For how long keys are published and verify.
#[derive(Debug, Clone, Copy)]
pub(crate) struct KeyTimes {
    /// How long a key is published before it signs.
    pub(crate) publish: Duration,
    /// Life of the longest access token.
    pub(crate) access_token: Duration,
    /// Life of the longest internal token.
    pub(crate) internal_token: Duration,
}

/// The keys of both purposes.
pub(crate) struct Keyring {
    database: Database,
    master: MasterKey,
    times: KeyTimes,
    access: Arc<ArcSwap<Keys>>,
    internal: Arc<ArcSwap<Keys>>,
    loaded: Mutex<Loaded>,
}

/// What the keys in use were made from.
struct Loaded {
    rows: Vec<StoredKey>,
    for_unknown: Option<Instant>,
}

impl Keyring {
    /// Opens the stored keys; the first replica on an empty database makes them.
    pub(crate) async fn open(
        database: Database,
        master: MasterKey,
        times: KeyTimes,
    ) -> Result<Self, KeyringFault> {
        // What is there must open before anything is added to it: a foreign master key changes nothing.
        let found = keys::all(&database).await?;
        for purpose in Purpose::ALL {
            let signs =
                found.iter().any(|key| key.purpose == purpose.name() && key.state == keys::State::Active);
            if signs {
                Keys::open(purpose, &found, &master, kit::clock::now().microseconds())?;
            }
        }
        for purpose in Purpose::ALL {
            change(&database, &master, times, purpose, Succession::advance).await?;
        }
        let now = kit::clock::now().microseconds();
        let rows = good(keys::all(&database).await?, now);
        let open = |purpose| Keys::open(purpose, &rows, &master, now);
        let (access, internal) = (open(Purpose::Access)?, open(Purpose::Internal)?);
        Ok(Self {
            access: Arc::new(ArcSwap::from_pointee(access)),
            internal: Arc::new(ArcSwap::from_pointee(internal)),
            loaded: Mutex::new(Loaded { rows, for_unknown: None }),
            database,
            master,
            times,
        })
    }

    /// The keys of a purpose, as they are at any moment.
    pub(crate) fn keys(&self, purpose: Purpose) -> &Arc<ArcSwap<Keys>> {
        match purpose {
            Purpose::Access => &self.access,
            Purpose::Internal => &self.internal,
        }
    }

    /// How long a key is published before it signs.
    pub(crate) fn publish_time(&self) -> Duration {
        self.times.publish
    }

    /// All stored keys, oldest first.
    pub(crate) async fn list(&self) -> Result<Vec<StoredKey>, KeyringFault> {
        Ok(keys::all(&self.database).await?)
    }

    /// Has the next key sign: now where it has been published for long enough, else from then on. Gives that key.
    pub(crate) async fn rotate(
        &self,
        purpose: Purpose,
        algorithm: Option<Algorithm>,
    ) -> Result<StoredKey, KeyringFault> {
        let kid = change(&self.database, &self.master, self.times, purpose, |succession| {
            succession.rotate(algorithm)
        })
        .await?;
        self.reload().await?;
        self.find(&kid).await?.ok_or(KeyringFault::Contended)
    }

    /// Takes a key out of use at once; `None` where there is none of this name.
    pub(crate) async fn retire(&self, kid: &str) -> Result<Option<StoredKey>, KeyringFault> {
        let Some(found) = self.find(kid).await? else { return Ok(None) };
        for purpose in Purpose::ALL.into_iter().filter(|purpose| purpose.name() == found.purpose) {
            change(&self.database, &self.master, self.times, purpose, |succession| succession.retire(kid))
                .await?;
        }
        self.reload().await?;
        self.find(kid).await
    }

    async fn find(&self, kid: &str) -> Result<Option<StoredKey>, KeyringFault> {
        Ok(self.list().await?.into_iter().find(|key| key.kid == kid))
    }

    /// Reads the table, and uses from now on what it says.
    pub(crate) async fn reload(&self) -> Result<(), KeyringFault> {
        let mut loaded = self.loaded.lock().await;
        self.load(&mut loaded, &self.database).await
    }

    /// Whether the key that a token names is among those that verify now.
    pub(crate) fn knows_the_key_of(&self, token: &str) -> bool {
        self.access.load().knows_the_key_of(token)
    }

    /// Reads the table where the key of this token is not known, at most once in [`UNKNOWN_PAUSE`]: whoever sends made-up
    /// names of keys costs no more than that.
    pub(crate) async fn look_up_key_of(&self, token: &str) {
        if self.knows_the_key_of(token) {
            return;
        }
        let mut loaded = self.loaded.lock().await;
        // Whoever held the lock may have read it.
        if self.knows_the_key_of(token) || loaded.for_unknown.is_some_and(|at| at.elapsed() < UNKNOWN_PAUSE) {
            return;
        }
        loaded.for_unknown = Some(Instant::now());
        if let Err(error) = self.load(&mut loaded, &self.database).await {
            tracing::warn!(%error, "the signing keys could not be read");
        }
    }

    /// A table that can't be read or opened changes nothing: the keys until now go on.
    async fn load(&self, loaded: &mut Loaded, database: &Database) -> Result<(), KeyringFault> {
        let now = kit::clock::now().microseconds();
        let rows = good(keys::all(database).await?, now);
        if rows == loaded.rows {
            return Ok(());
        }
        let opened = |purpose| Keys::open(purpose, &rows, &self.master, now).map(Arc::new);
        let (access, internal) = (opened(Purpose::Access)?, opened(Purpose::Internal)?);
        for (current, new) in [(&self.access, access), (&self.internal, internal)] {
            if current.load().signing.kid() != new.signing.kid() {
                tracing::info!(kid = new.signing.kid(), "another key signs");
            }
            current.store(new);
        }
        loaded.rows = rows;
        Ok(())
    }

    /// Reads the table by a connection of the caller's, and lets a next key whose moment has come sign. What goes wrong with
    /// the keys themselves is told and changes nothing.
    ///
    /// # Errors
    /// The database does not answer.
    pub(crate) async fn catch_up(&self, database: &Database) -> Result<(), DatabaseError> {
        match self.read_and_promote(database).await {
            Err(KeyringFault::Database(error)) => return Err(error),
            Err(error) => tracing::error!(%error, "the signing keys can't be kept up to date"),
            Ok(()) => {}
        }
        Ok(())
    }

    async fn read_and_promote(&self, database: &Database) -> Result<(), KeyringFault> {
        let mut loaded = self.loaded.lock().await;
        self.load(&mut loaded, database).await?;
        let now = kit::clock::now();
        for purpose in Purpose::ALL {
            let due = |key: &StoredKey| key.purpose == purpose.name() && is_due(key, now);
            if loaded.rows.iter().any(due) {
                change(database, &self.master, self.times, purpose, Succession::advance).await?;
                self.load(&mut loaded, database).await?;
            }
        }
        Ok(())
    }
}

/// Those that verify at this moment.
fn good(rows: Vec<StoredKey>, now: i64) -> Vec<StoredKey> {
    rows.into_iter().filter(|key| verifies(key, now)).collect()
}

type MakeKey = Box<dyn FnMut(Algorithm) -> Result<StoredKey, SigningFault> + Send>;

/// Changes the stored keys of a purpose in one transaction.
async fn change<T>(
    database: &Database,
    master: &MasterKey,
    times: KeyTimes,
    purpose: Purpose,
    mut step: impl FnMut(&mut Succession<MakeKey>) -> Result<T, SigningFault>,
) -> Result<T, KeyringFault> {
    for _ in 0..TRIES {
        let transaction = database.begin_write().await?;
        let before = keys::locked(&transaction, purpose.name()).await?;
        let now = kit::clock::now();
        let (made_at, sealing) = (now.microseconds(), master.clone());
        let make: MakeKey = Box::new(move |algorithm| generate(purpose, algorithm, &sealing, made_at));
        let terms = Terms {
            make,
            publish: times.publish,
            longest_token: match purpose {
                Purpose::Access => times.access_token,
                Purpose::Internal => times.internal_token,
            },
            now,
        };
        let mut succession = Succession::new(before.clone(), terms);
        let told = step(&mut succession)?;
        let after = succession.keys;
        if after == before {
            transaction.rollback().await.map_err(DatabaseError::from)?;
            return Ok(told);
        }
        if keys::save(&transaction, &before, &after).await? {
            notify(&transaction, CHANNEL).await?;
            transaction.commit().await.map_err(DatabaseError::from)?;
            return Ok(told);
        }
        transaction.rollback().await.map_err(DatabaseError::from)?;
    }
    Err(KeyringFault::Contended)
}
