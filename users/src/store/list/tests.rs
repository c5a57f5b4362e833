//! How the databases go about a list of 20,000 users: by an index, in each order and by each filter.

use contract::{Timestamp, UserId};
use kit::{database::Database, on_both_databases, testing::TestDatabase};
use sea_orm::{DbBackend, Statement};

use super::*;
use crate::domain::{UserStore as _, cursor::Cursor, listing::Order};
use crate::store::{SqlStore, row};

const ORDERS: [&str; 8] =
    ["id", "-id", "email", "-email", "created_at", "-created_at", "updated_at,-id", "-updated_at"];

/// One in a hundred is inactive, one in a thousand an editor.
const FILL: &str = "
    INSERT INTO users (email, email_canonical, password_hash, is_active, first_name, search_text, epoch, version, created_at, updated_at)
    SELECT 'u' || n || '@example.com', 'u' || n || '@example.com', 'x', n % 100 <> 0, 'First' || n,
        'u' || n || '@example.com first' || n, 1, 1, 1000000 + n / 3, 1000000 + n * 7919 % 20000
    FROM (WITH RECURSIVE numbers(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM numbers WHERE n < 20000) SELECT n FROM numbers) all_of_them;
    INSERT INTO user_roles (user_id, role) SELECT id, 'user' FROM users;
    INSERT INTO user_roles (user_id, role) SELECT id, 'editor' FROM users WHERE id % 1000 = 7;";

async fn filled(database: &TestDatabase) -> (SqlStore, Database) {
    migration::up(migration::Service::Users, database.url(), None).await.unwrap();
    let open = database.open().await;
    let transaction = open.begin_write().await.unwrap();
    transaction.execute_unprepared(FILL).await.unwrap();
    if open.backend() == DbBackend::Postgres {
        // What autovacuum does within a minute; SQLite counts nothing by itself.
        let clean = "SELECT gin_clean_pending_list('users_search_text'); ANALYZE;";
        transaction.execute_unprepared(clean).await.unwrap();
    }
    transaction.commit().await.unwrap();
    (SqlStore::new(open.clone()), open)
}

async fn plan(open: &Database, query: &impl QueryTrait) -> String {
    explained(open, query.build(open.backend())).await
}

async fn explained(open: &Database, built: Statement) -> String {
    let backend = open.backend();
    let (explain, column) = match backend {
        DbBackend::Sqlite => ("EXPLAIN QUERY PLAN", 3),
        _ => ("EXPLAIN (COSTS OFF)", 0),
    };
    let statement =
        Statement { sql: format!("{explain} {}", built.sql), values: built.values, db_backend: backend };
    let rows = open.reader().query_all_raw(statement).await.unwrap();
    let lines: Vec<String> = rows.iter().map(|row| row.try_get_by_index(column).unwrap()).collect();
    lines.join("\n")
}

fn filters() -> [(&'static str, Filters, [&'static str; 2]); 6] {
    let none = Filters::default;
    [
        (
            "email",
            Filters { email: Some("u77@example.com".parse().unwrap()), ..none() },
            ["users_email_canonical"; 2],
        ),
        (
            "q",
            Filters { text: Some("first199".to_owned()), ..none() },
            ["users_search VIRTUAL TABLE", "users_search_text"],
        ),
        ("is_active", Filters { is_active: Some(false), ..none() }, ["users_is_active_id"; 2]),
        ("role", Filters { role: Some("editor".parse().unwrap()), ..none() }, ["user_roles_role"; 2]),
        (
            "created_after",
            Filters { created_after: Timestamp::from_microseconds(1_006_600), ..none() },
            ["users_created_at_id"; 2],
        ),
        (
            "is_active and role",
            Filters { is_active: Some(true), role: Some("editor".parse().unwrap()), ..none() },
            ["user_roles_role"; 2],
        ),
    ]
}

/// The table is read whole.
fn reads_all(plan: &str) -> bool {
    plan.lines().any(|line| line.contains("Seq Scan on users") || line.trim() == "SCAN users")
}

on_both_databases! {
    async fn users_are_read_by_their_ids_off_the_primary_key_however_many(database: TestDatabase) {
        let (_, open) = filled(&database).await;
        for count in [1, 3, 64] {
            let ids: Vec<UserId> = (0..count).map(|number| UserId(number * 300 + 1)).collect();
            let plan = explained(&open, row::by_ids(open.backend(), &ids).statement(open.backend())).await;
            let index = if open.backend() == DbBackend::Postgres { "users_pkey" } else { "SEARCH users USING INTEGER PRIMARY KEY" };
            let roles = plan.contains("Seq Scan on user_roles") || plan.contains("SCAN user_roles");
            assert!(plan.contains(index) && !reads_all(&plan) && !roles, "{count}:\n{plan}");
        }
    }

    async fn a_page_in_any_order_is_read_off_an_index_where_it_begins(database: TestDatabase) {
        let (store, open) = filled(&database).await;
        for order in ORDERS {
            let order = Order::parse(order).unwrap();
            let mut listing = Listing { order: order.clone(), limit: 100, ..Listing::default() };
            let index = match order.keys()[0].key {
                Key::Id => ["PRIMARY KEY", "users_pkey"],
                Key::Email => ["users_email_canonical"; 2],
                Key::CreatedAt => ["users_created_at_id"; 2],
                Key::UpdatedAt => ["users_updated_at_id"; 2],
            }[usize::from(open.backend() == DbBackend::Postgres)];
            for depth in ["the first page", "far in"] {
                let plan = plan(&open, &page(&listing, open.backend(), FEW + 1)).await;
                // Of one key's rows a few are sorted by the id, where the two go different ways; never all.
                let sorted = plan.contains("TEMP B-TREE FOR ORDER BY") || plan.lines().any(|line| line.trim() == "Sort" || line.contains("->  Sort"));
                // SQLite's table is in the order of ids itself.
                let indexed = plan.contains(index) || (order.keys()[0].key == Key::Id && plan.starts_with("SCAN users"));
                assert!(indexed && !sorted && !plan.contains("Seq Scan on users"), "{order:?}, {depth}:\n{plan}");
                listing.skip = 9_000;
                let last = store.list(&listing).await.unwrap().users.pop().unwrap();
                listing.skip = 0;
                listing.after = Some(Cursor::after(&last, &order, 20_000));
            }
        }
    }

    async fn each_filter_has_an_index_for_the_page_and_for_the_count(database: TestDatabase) {
        let (store, open) = filled(&database).await;
        for (name, filters, index) in filters() {
            let listing = Listing { filters, limit: 100, ..Listing::default() };
            let index = index[usize::from(open.backend() == DbBackend::Postgres)];
            let plan_of_count = plan(&open, &counted(&listing.filters, open.backend())).await;
            assert!(plan_of_count.contains(index) && !reads_all(&plan_of_count), "{name}, count:\n{plan_of_count}");
            let listed = store.list(&listing).await.unwrap();
            assert!(listed.total > 0 && listed.users.len() as u64 == std::cmp::min(listed.total, 100), "{name}");
            for order in ORDERS {
                let listing = Listing { order: Order::parse(order).unwrap(), ..listing.clone() };
                let plan = plan(&open, &page(&listing, open.backend(), listed.total)).await;
                assert!(!reads_all(&plan), "{name} by {order}:\n{plan}");
            }
        }
    }

    async fn a_search_finds_what_holds_the_text_and_nothing_else(database: TestDatabase) {
        let (store, open) = filled(&database).await;
        let search = async |text: &str| {
            let filters = Filters { text: Some(text.to_owned()), ..Filters::default() };
            store.list(&Listing { filters, limit: 1000, ..Listing::default() }).await.unwrap().total
        };
        // All letters in threes are there, the text is not.
        assert_eq!(search("first12345").await, 1);
        assert_eq!(search("u12 first12").await, 0);
        assert_eq!(search("example.com first199").await, 111);
        for odd in ["\"", "a\"b", "' or", "u1 and u2", "*", "abc*", "né", "%%%", "___", "\\\\\\", "(u1", "near(u1 u2)"] {
            assert_eq!(search(odd).await, 0, "{odd}");
        }
        // One or two letters are looked for as well.
        assert_eq!(search("u7").await, 1111);
        // What changes and goes is found as it is now.
        let transaction = open.begin_write().await.unwrap();
        transaction.execute_unprepared("UPDATE users SET search_text = 'zoë ölaf' WHERE id = 5; DELETE FROM user_roles WHERE user_id = 6; DELETE FROM users WHERE id = 6").await.unwrap();
        transaction.commit().await.unwrap();
        assert_eq!((search("zoë ö").await, search("Ölaf").await, search("first5").await), (1, 1, 1110));
        assert_eq!((search("first6").await, search("@example.com").await), (1110, 19_998));
    }
}
