//! The store without the service around it.

use contract::{Role, Timestamp, UserId};
use kit::{
    database::{Database, DatabaseError},
    on_both_databases,
    testing::TestDatabase,
};
use sea_orm::DbBackend;
use users::{
    SqlStore,
    domain::{
        Decision, Listing, User, UserStore, UsersError,
        listing::Order,
        password::PasswordHash,
        roles::{KnownRole, RoleStore},
        user::with_user_role,
    },
};

async fn open(database: &TestDatabase) -> (SqlStore, Database) {
    migration::up(migration::Service::Users, database.url(), None).await.unwrap();
    let open = database.open().await;
    (SqlStore::new(open.clone()), open)
}

fn at(microseconds: i64) -> Timestamp {
    Timestamp::from_microseconds(microseconds).unwrap()
}

fn new(email: &str, roles: &[Role]) -> User {
    User {
        id: UserId(0),
        email: email.parse().unwrap(),
        is_active: true,
        first_name: Some("Zoë".to_owned()),
        last_name: None,
        roles: with_user_role(roles.iter().cloned()),
        password_hash: PasswordHash::from("$x$y".to_owned()),
        must_change_password: false,
        verified_email: None,
        epoch: 1,
        version: 1,
        created_at: at(1_700_000_000_123_456),
        updated_at: at(1_700_000_000_123_456),
    }
}

on_both_databases! {
    async fn a_user_comes_back_as_it_was_kept(database: TestDatabase) {
        let (store, _) = open(&database).await;
        let kept = store.insert(new("Zoë@Example.com", &[Role::ADMIN])).await.unwrap();
        assert_eq!(store.find(kept.id).await.unwrap(), Some(kept.clone()));
        let found = store.find_by_email(&"ZOË@example.com".parse().unwrap()).await.unwrap().unwrap();
        assert_eq!((found.email.as_written(), &found), ("Zoë@Example.com", &kept));
        assert_eq!(store.find(UserId(i64::MAX)).await.unwrap(), None);
        assert_eq!(store.insert(new("ZOË@example.com", &[])).await, Err(UsersError::Duplicate));
    }

    async fn many_reads_at_once_each_find_their_own_user(database: TestDatabase) {
        let (store, _) = open(&database).await;
        let mut kept = Vec::new();
        for number in 0..70 {
            let roles = if number % 2 == 0 { vec![Role::ADMIN] } else { Vec::new() };
            kept.push(store.insert(new(&format!("user{number}@example.com"), &roles)).await.unwrap());
        }
        let reads = (0..300).map(|number| {
            let (store, wanted) = (store.clone(), kept.get(number % 100).cloned());
            let id = wanted.as_ref().map_or(UserId(i64::MAX - i64::try_from(number).unwrap()), |user| user.id);
            tokio::spawn(async move { (store.find(id).await, wanted) })
        });
        for read in reads.collect::<Vec<_>>() {
            let (found, wanted) = read.await.unwrap();
            assert_eq!(found.unwrap(), wanted);
        }
    }

    async fn a_held_connection_reads_by_numbers_and_can_be_had_again_once_dropped(database: TestDatabase) {
        let (store, open) = open(&database).await;
        let id = store.insert(new("a@example.com", &[])).await.unwrap().id;
        let query = match open.backend() {
            DbBackend::Postgres => "SELECT id + $1 AS sum FROM users WHERE id = $2",
            _ => "SELECT id + ? AS sum FROM users WHERE id = ?",
        };
        for round in 0..=i64::from(open.connections()) {
            let mut held = open.hold().await.unwrap();
            let rows = held.rows(query, &[round, id.0]).await.unwrap();
            let sums: Vec<i64> = rows.iter().map(|row| row.try_get("", "sum").unwrap()).collect();
            assert_eq!(sums, [id.0 + round]);
            assert!(held.rows(query, &[round, -1]).await.unwrap().is_empty());
            assert!(matches!(held.rows("SELECT nothing FROM users", &[]).await, Err(DatabaseError::Failed(_))));
        }
    }

    async fn a_held_connection_on_which_no_rows_come_is_given_up(database: TestDatabase) {
        let (_, open) = open(&database).await;
        // SQLite has nothing to wait for.
        if open.backend() == DbBackend::Postgres {
            let mut held = open.hold().await.unwrap();
            let waiting = held.rows("SELECT $1 FROM pg_sleep(60)", &[1]).await;
            assert!(matches!(waiting, Err(DatabaseError::Unavailable(_))), "{waiting:?}");
            drop(held);
            for _ in 0..open.connections() {
                open.hold().await.unwrap().rows("SELECT $1", &[1]).await.unwrap();
            }
        }
    }

    async fn a_read_sees_what_was_changed_before_it_began(database: TestDatabase) {
        let (store, _) = open(&database).await;
        let id = store.insert(new("a@example.com", &[])).await.unwrap().id;
        let others = store.clone();
        let busy = tokio::spawn(async move {
            loop {
                others.find(id).await.unwrap();
            }
        });
        for version in 2..40 {
            let change = |user: &User, _| Ok(Decision::Replace(Box::new(User { version, ..user.clone() })));
            store.change(id, None, change).await.unwrap();
            assert_eq!(store.find(id).await.unwrap().unwrap().version, version);
        }
        assert!(!busy.is_finished());
        busy.abort();
    }

    async fn a_decision_that_fails_changes_nothing(database: TestDatabase) {
        let (store, _) = open(&database).await;
        let kept = store.insert(new("a@example.com", &[])).await.unwrap();
        let refused = store.change(kept.id, None, |_, _| Err(UsersError::Stale)).await;
        assert_eq!(refused.unwrap_err(), UsersError::Stale);
        let missing = store.change(UserId(99), None, |_, _| Ok(Decision::Delete)).await;
        assert_eq!(missing.unwrap_err(), UsersError::NotFound);
        assert_eq!(store.find(kept.id).await.unwrap(), Some(kept));
    }

    async fn a_change_whose_address_is_taken_changes_nothing(database: TestDatabase) {
        let (store, _) = open(&database).await;
        store.insert(new("a@example.com", &[])).await.unwrap();
        let kept = store.insert(new("b@example.com", &[])).await.unwrap();
        let change = |user: &User, _| {
            let roles = with_user_role([Role::ADMIN]);
            let after = User { email: "A@example.com".parse().unwrap(), roles, ..user.clone() };
            Ok(Decision::Replace(Box::new(after)))
        };
        assert_eq!(store.change(kept.id, None, change).await.unwrap_err(), UsersError::Duplicate);
        assert_eq!(store.find(kept.id).await.unwrap(), Some(kept));
    }

    async fn changes_of_one_user_wait_for_each_other(database: TestDatabase) {
        let (store, _) = open(&database).await;
        let kept = store.insert(new("a@example.com", &[])).await.unwrap();
        let mut tasks = tokio::task::JoinSet::new();
        for number in 0..16 {
            let (store, id) = (store.clone(), kept.id);
            let name = format!("r{number}").parse().unwrap();
            let role = KnownRole { name, description: None, created_at: at(1) };
            store.add_role(&role, None, |_| Ok(())).await.unwrap();
            tasks.spawn(async move {
                let add = move |user: &User, _| {
                    let mut after = user.clone();
                    after.version += 1;
                    after.roles.insert(format!("r{number}").parse().unwrap());
                    Ok(Decision::Replace(Box::new(after)))
                };
                store.change(id, None, add).await.unwrap();
            });
        }
        tasks.join_all().await;
        let after = store.find(kept.id).await.unwrap().unwrap();
        assert_eq!((after.version, after.roles.len()), (17, 17));
    }

    async fn a_password_hashed_anew_does_not_undo_a_change_of_it(database: TestDatabase) {
        let (store, _) = open(&database).await;
        let kept = store.insert(new("a@example.com", &[])).await.unwrap();
        let hash = |text: &str| PasswordHash::from(text.to_owned());
        store.rehash(kept.id, &hash("$other"), &hash("$new")).await.unwrap();
        assert_eq!(store.find(kept.id).await.unwrap(), Some(kept.clone()));
        store.rehash(kept.id, &kept.password_hash, &hash("$new")).await.unwrap();
        let after = store.find(kept.id).await.unwrap().unwrap();
        assert_eq!((after.password_hash, after.version, after.epoch), (hash("$new"), 1, 1));
    }

    async fn users_of_one_moment_are_listed_once_each(database: TestDatabase) {
        let (store, _) = open(&database).await;
        for number in 0..7 {
            store.insert(new(&format!("u{number}@example.com"), &[])).await.unwrap();
        }
        let order = Order::parse("-created_at").unwrap();
        let mut listing = Listing { order: order.clone(), limit: 3, ..Listing::default() };
        let mut found = Vec::new();
        loop {
            let page = store.list(&listing).await.unwrap();
            found.extend(page.users.iter().map(|user| user.id.0));
            if !page.more {
                break;
            }
            listing.after = page.users.last().map(|last| users::domain::cursor::Cursor::after(last, &order, page.total));
        }
        assert_eq!(found, [1, 2, 3, 4, 5, 6, 7]);
    }
}
