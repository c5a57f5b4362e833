//! The table `idempotency_keys`.

use contract::{Timestamp, UserId};
use kit::database::is_duplicate;
use sea_orm::{
    ActiveValue::Set,
    ColumnTrait, DatabaseTransaction, EntityTrait, QueryFilter,
    sea_query::{Expr, ExprTrait},
};

use super::{SqlStore, entity::idempotency_key as kept, failed, insert_within, unavailable};
use crate::domain::{
    User, UsersError,
    once::{KeptRequest, Once, OnceStore},
    password::PasswordHash,
};

impl OnceStore for SqlStore {
    async fn repeat(&self, once: &Once, since: Timestamp) -> Result<Option<KeptRequest>, UsersError> {
        let key = (once.caller.clone(), once.key.clone());
        let find =
            || kept::Entity::find_by_id(key.clone()).filter(kept::Column::CreatedAt.gt(since.microseconds()));
        // Most keys are new: no write for those.
        if find().one(self.database.reader()).await.map_err(failed)?.is_none() {
            return Ok(None);
        }
        let transaction = self.database.begin_write().await.map_err(unavailable)?;
        kept::Entity::update_many()
            .col_expr(kept::Column::Repeats, Expr::col(kept::Column::Repeats).add(1))
            .filter(kept::Column::Caller.eq(&once.caller))
            .filter(kept::Column::Key.eq(&once.key))
            .exec(&transaction)
            .await
            .map_err(failed)?;
        let row = find().one(&transaction).await.map_err(failed)?;
        transaction.commit().await.map_err(failed)?;
        Ok(row.map(|row| KeptRequest {
            fingerprint: row.fingerprint,
            password_hash: row.password_hash.map(PasswordHash::from),
            answer: row.answer,
            repeats: row.repeats,
        }))
    }

    async fn insert_once(&self, user: User, once: &Once, since: Timestamp) -> Result<User, UsersError> {
        let transaction = self.database.begin_write().await.map_err(unavailable)?;
        kept::Entity::delete_by_id((once.caller.clone(), once.key.clone()))
            .filter(kept::Column::CreatedAt.lte(since.microseconds()))
            .exec(&transaction)
            .await
            .map_err(failed)?;
        // The key before the user: of two requests at once the second waits here for the first, and then finds its answer.
        let row = kept::ActiveModel {
            caller: Set(once.caller.clone()),
            key: Set(once.key.clone()),
            fingerprint: Set(once.fingerprint.to_vec()),
            password_hash: Set(Some(user.password_hash.expose().to_owned())),
            answer: Set(None),
            user_id: Set(None),
            repeats: Set(0),
            created_at: Set(user.created_at.microseconds()),
        };
        kept::Entity::insert(row)
            .exec_without_returning(&transaction)
            .await
            .map_err(|error| if is_duplicate(&error) { UsersError::KeyTaken } else { failed(error) })?;
        let user = insert_within(&transaction, user).await?;
        kept::Entity::update_many()
            .set(kept::ActiveModel {
                answer: Set(Some((once.answer)(&user))),
                user_id: Set(Some(user.id.0)),
                ..Default::default()
            })
            .filter(kept::Column::Caller.eq(&once.caller))
            .filter(kept::Column::Key.eq(&once.key))
            .exec(&transaction)
            .await
            .map_err(failed)?;
        transaction.commit().await.map_err(failed)?;
        Ok(user)
    }

    async fn purge_keys(&self, until: Timestamp) -> Result<u64, UsersError> {
        let transaction = self.database.begin_write().await.map_err(unavailable)?;
        let purged = kept::Entity::delete_many()
            .filter(kept::Column::CreatedAt.lte(until.microseconds()))
            .exec(&transaction)
            .await
            .map_err(failed)?;
        transaction.commit().await.map_err(failed)?;
        Ok(purged.rows_affected)
    }
}

/// Keeps nothing of a deleted user beside the key itself.
pub(super) async fn forget(transaction: &DatabaseTransaction, id: UserId) -> Result<(), UsersError> {
    kept::Entity::update_many()
        .set(kept::ActiveModel { password_hash: Set(None), answer: Set(None), ..Default::default() })
        .filter(kept::Column::UserId.eq(id.0))
        .exec(transaction)
        .await
        .map_err(failed)?;
    Ok(())
}
