//! Widgets in a database, SQLite or PostgreSQL. The only place that knows tables, and the only one that reads its errors.

use contract::{Timestamp, UserId};
use kit::database::{Database, DatabaseError, Schema};
use sea_orm::{
    ActiveValue::{NotSet, Set},
    ColumnTrait, Condition, DbErr, EntityTrait, QueryFilter, QueryOrder, QuerySelect,
};

use self::widget::{ActiveModel, Column, Entity, Model};
use crate::domain::{Draft, Reach, Widget, WidgetsError};

/// The schema this service was built for. A test holds it against the migrations.
pub const SCHEMA: Schema = Schema {
    service: "widgets",
    table: "widgets_migrations",
    migrations: &["m20261125_000001_widgets"],
};

/// Keeps widgets in a database.
#[derive(Debug, Clone)]
pub(crate) struct Store {
    database: Database,
}

impl Store {
    /// Over an open database whose schema is [`SCHEMA`].
    pub(crate) fn new(database: Database) -> Self {
        Self { database }
    }

    pub(crate) async fn list(
        &self,
        reach: Reach,
        after: Option<i64>,
        limit: u64,
    ) -> Result<Vec<Widget>, WidgetsError> {
        let rows = Entity::find()
            .filter(within(reach).add_option(after.map(|after| Column::Id.gt(after))))
            .order_by_asc(Column::Id)
            .limit(limit)
            .all(self.database.reader())
            .await
            .map_err(failed)?;
        rows.into_iter().map(read).collect()
    }

    pub(crate) async fn find(&self, reach: Reach, id: i64) -> Result<Widget, WidgetsError> {
        let row = Entity::find_by_id(id)
            .filter(within(reach))
            .one(self.database.reader())
            .await
            .map_err(failed)?;
        read(row.ok_or(WidgetsError::NotFound)?)
    }

    pub(crate) async fn insert(&self, draft: Draft) -> Result<Widget, WidgetsError> {
        let transaction = self.database.begin_write().await.map_err(unavailable)?;
        let row = ActiveModel {
            id: NotSet,
            name: Set(draft.name.clone()),
            owner: Set(draft.owner.map(|user| user.0)),
            created_at: Set(draft.created_at.microseconds()),
        };
        let inserted = Entity::insert(row).exec(&transaction).await.map_err(failed)?;
        transaction.commit().await.map_err(failed)?;
        let Draft { name, owner, created_at } = draft;
        Ok(Widget { id: inserted.last_insert_id, name, owner, created_at })
    }

    pub(crate) async fn delete(&self, reach: Reach, id: i64) -> Result<(), WidgetsError> {
        let transaction = self.database.begin_write().await.map_err(unavailable)?;
        let deleted = Entity::delete_many()
            .filter(within(reach).add(Column::Id.eq(id)))
            .exec(&transaction)
            .await
            .map_err(failed)?;
        transaction.commit().await.map_err(failed)?;
        if deleted.rows_affected == 0 { Err(WidgetsError::NotFound) } else { Ok(()) }
    }
}

fn within(reach: Reach) -> Condition {
    let owner = match reach {
        Reach::All => None,
        Reach::Of(user) => Some(Column::Owner.eq(user.0)),
        Reach::Nothing => Some(Column::Id.is_null()),
    };
    Condition::all().add_option(owner)
}

fn read(row: Model) -> Result<Widget, WidgetsError> {
    let created_at = Timestamp::from_microseconds(row.created_at)
        .ok_or_else(|| WidgetsError::Failed(format!("widgets.created_at is {}", row.created_at)))?;
    Ok(Widget { id: row.id, name: row.name, owner: row.owner.map(UserId), created_at })
}

fn failed(error: DbErr) -> WidgetsError {
    unavailable(error.into())
}

#[expect(clippy::needless_pass_by_value, reason = "it is the argument of map_err")]
fn unavailable(error: DatabaseError) -> WidgetsError {
    if error.is_unavailable() {
        WidgetsError::Unavailable(error.to_string())
    } else {
        WidgetsError::Failed(error.to_string())
    }
}

#[expect(unreachable_pub, reason = "the derived code is public")]
mod widget {
    //! The table `widgets`, as `SeaORM` sees it. Times are whole microseconds since 1970.

    use sea_orm::entity::prelude::*;

    #[derive(Debug, Clone, PartialEq, Eq, DeriveEntityModel)]
    #[sea_orm(table_name = "widgets")]
    pub struct Model {
        #[sea_orm(primary_key)]
        pub id: i64,
        pub name: String,
        pub owner: Option<i64>,
        pub created_at: i64,
    }

    #[derive(Debug, Clone, Copy, EnumIter, DeriveRelation)]
    pub enum Relation {}

    impl ActiveModelBehavior for ActiveModel {}
}
