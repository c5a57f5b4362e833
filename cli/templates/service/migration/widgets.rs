//! The widgets service's schema.

mod m20261125_000001_widgets;

use kit::database::Schema;
use sea_orm_migration::MigrationTrait;

pub(crate) const SCHEMA: Schema = Schema {
    service: "widgets",
    table: "widgets_migrations",
    migrations: &["m20261125_000001_widgets"],
};

pub(crate) fn migrations() -> Vec<Box<dyn MigrationTrait>> {
    vec![Box::new(m20261125_000001_widgets::Migration)]
}
