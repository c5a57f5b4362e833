//! `platform user import` and `export` against a running platform.

use std::fmt::Write as _;
use std::fs;
use std::os::unix::fs::PermissionsExt as _;

use serde_json::json;

use crate::process::{Place, wait_for};

const BCRYPT: &str = "$2b$05$abcdefghijklmnopqrstuuTD5NfgSwyCrNff/C2OER6BVQthOVUs6";
const OF_BCRYPT: &str = "träumende Kühe 42";

#[test]
fn a_file_is_imported_in_batches_and_what_is_refused_is_told_by_line() {
    let platform = Place::new().serve(&[]);
    let place = &platform.place;
    platform.create("ann@example.com", &[]);
    let mut csv = "email,password_hash,first_name,roles,is_active\n".to_owned();
    for number in 0..450 {
        writeln!(csv, "u{number}@example.com,{BCRYPT},\"U, {number}\",,").unwrap();
    }
    csv.push_str("ANN@example.com,,,,\nnobody,,,,\nx@example.com,md5$S3NT,,,\ny@example.com,,,nurse,\nz@example.com,,,,perhaps\n");
    fs::write(place.path().join("users.csv"), &csv).unwrap();

    let dry = place
        .run(&["user", "import", "users.csv", "--dry-run", "--refused", "dry.csv", "-o", "json"])
        .ended(1);
    assert_eq!(dry.json(), json!({"created": 450, "exists": 1, "refused": 4}));
    assert_eq!(place.run(&["user", "list", "-o", "json"]).done().json().as_array().unwrap().len(), 1);

    let import = ["user", "import", "users.csv", "--refused", "refused.csv", "-o", "json"];
    let imported = place.run(&import).ended(1);
    assert_eq!(imported.json(), json!({"created": 450, "exists": 1, "refused": 4}));
    assert!(
        imported.stderr.contains("4 of 455 rows are refused") && imported.stderr.contains("refused.csv"),
        "{imported:#?}"
    );
    let refused = fs::read_to_string(place.path().join("refused.csv")).unwrap();
    let told: Vec<&str> = refused.lines().map(|line| line.split(',').next().unwrap()).collect();
    assert_eq!(told, ["line", "453", "454", "455", "456"], "{refused}");
    assert!(
        refused.contains("no such role: nurse") && refused.contains("is_active") && !refused.contains("S3NT"),
        "{refused}"
    );

    // Again, without what was refused: nothing is left to do.
    let good = csv.lines().take(452).collect::<Vec<_>>().join("\n");
    fs::write(place.path().join("users.csv"), good).unwrap();
    let again = place.run(&["user", "import", "users.csv", "-o", "json"]).done();
    assert_eq!(again.json(), json!({"created": 0, "exists": 451, "refused": 0}));
    assert!(!place.path().join("users.csv.refused.csv").exists());

    let issue = ["token", "issue", "--email", "u449@example.com", "--password-stdin"];
    place.run_with(&issue, OF_BCRYPT).done();
    place.run_with(&issue, "wrong").ended(4);
}

#[test]
fn a_refused_row_runs_in_no_spreadsheet_is_its_owner_s_alone_and_is_imported_once_it_is_mended() {
    let platform = Place::new().serve(&[]);
    let place = &platform.place;
    let formula = "=HYPERLINK(\"\"http://x\"\")";
    let rows =
        format!("\"{formula}\",\n@SUM(1),\n+1,\n-1,\n'=1,\nada@example.com,'=Ada\nbob@example.com,''=Bob\n");
    fs::write(place.path().join("users.csv"), format!("email,first_name\n{rows}")).unwrap();
    let refused = place.path().join("refused.csv");
    fs::write(&refused, "").unwrap();
    fs::set_permissions(&refused, fs::Permissions::from_mode(0o644)).unwrap();
    place.run(&["user", "import", "users.csv", "--refused", "refused.csv"]).ended(1);
    assert_eq!(fs::metadata(&refused).unwrap().permissions().mode() & 0o777, 0o600);
    let mut reader = csv::Reader::from_path(&refused).unwrap();
    let rows: Vec<csv::StringRecord> = reader.records().map(Result::unwrap).collect();
    assert_eq!(rows.len(), 5, "{rows:?}");
    for cell in rows.iter().flatten() {
        assert!(!cell.starts_with(['=', '+', '-', '@']), "{cell}");
    }
    // With the right addresses in their place, the rest of a guarded cell is as it was.
    let shown =
        |email: &str| place.run(&["user", "show", email, "-o", "json"]).done().json()["first_name"].clone();
    assert_eq!((shown("ada@example.com"), shown("bob@example.com")), (json!("=Ada"), json!("'=Bob")));
    let exported = place.run(&["user", "export", "--form", "csv"]).done().stdout;
    assert!(exported.contains("'=Ada") && exported.contains("''=Bob"), "{exported}");
    let other = Place::new().serve(&[]);
    fs::write(other.place.path().join("users.csv"), exported).unwrap();
    other.place.run(&["user", "import", "users.csv"]).done();
    let bob = other.place.run(&["user", "show", "bob@example.com", "-o", "json"]).done().json();
    assert_eq!(bob["first_name"], "'=Bob");
}

#[test]
fn what_one_platform_exports_another_imports_and_no_hash_is_in_it() {
    let one = Place::new().serve(&[]);
    one.create("ada@example.com", &["--admin", "--first-name", "=Ada, \"Countess\"", "--must-change"]);
    one.create("bob@example.com", &[]);
    one.place.run(&["user", "disable", "bob@example.com"]).done();
    let other = Place::new().serve(&[]);
    for (form, name) in [("csv", "users.csv"), ("jsonl", "users.jsonl")] {
        let exported = one.place.run(&["user", "export", "--form", form]).done().stdout;
        assert!(!exported.contains("argon2") && !exported.contains("password_hash"), "{exported}");
        fs::write(other.place.path().join(name), exported).unwrap();
        let imported = other.place.run(&["user", "import", name, "-o", "json"]).done().json();
        let expected = if form == "csv" { json!([2, 0]) } else { json!([0, 2]) };
        assert_eq!(json!([imported["created"], imported["exists"]]), expected, "{form}");
    }
    let ada = other.place.run(&["user", "show", "ada@example.com", "-o", "json"]).done().json();
    assert_eq!(
        (&ada["first_name"], &ada["roles"]),
        (&json!("=Ada, \"Countess\""), &json!(["admin", "user"]))
    );
    assert_eq!(ada["must_change_password"], true);
    assert_eq!(
        other.place.run(&["user", "show", "bob@example.com", "-o", "json"]).done().json()["is_active"],
        false
    );
}

#[test]
fn a_file_that_is_none_of_users_is_refused_before_anything_is_sent() {
    let place = Place::new();
    for (name, content, code, words) in [
        ("users.csv", "email,password\na@example.com,S3NT\n", 2, "\"password\""),
        ("users.csv", "name\nAnn\n", 2, "\"name\""),
        ("users.csv", "first_name\nAnn\n", 2, "no column email"),
        ("users.txt", "x", 2, "--form"),
    ] {
        fs::write(place.path().join(name), content).unwrap();
        let refused = place.run(&["--url", "http://127.0.0.1:1", "user", "import", name]).failed(code, words);
        assert!(!refused.stderr.contains("S3NT"), "{refused:#?}");
    }
    place.run(&["--url", "http://127.0.0.1:1", "user", "import", "missing.csv"]).failed(1, "can't read");
}

#[test]
fn an_import_that_was_stopped_goes_on_where_it_was() {
    for form in ["csv", "jsonl"] {
        let platform = Place::new().serve(&[]);
        let place = &platform.place;
        let mut text = String::new();
        if form == "csv" {
            text.push_str("email,first_name\nnobody,\n");
            (0..3000).for_each(|number| writeln!(text, "u{number}@example.com,\"A, {number}\"").unwrap());
        } else {
            text.push_str("{\"email\": \"nobody\"}\n");
            (0..3000).for_each(|number| writeln!(text, "{{\"email\": \"u{number}@example.com\"}}").unwrap());
        }
        let name = format!("users.{form}");
        fs::write(place.path().join(&name), &text).unwrap();
        let progress = place.path().join(format!("{name}.progress.json"));
        let import = ["user", "import", &name, "--batch", "10", "-o", "json"];

        let mut child = place.command(&import).spawn().unwrap();
        wait_for("the first rows to be imported", || progress.exists().then_some(()));
        child.kill().unwrap();
        child.wait().unwrap();
        assert!(progress.exists(), "it was stopped, and had not ended");

        let ended = place.run(&import).ended(1);
        assert!(ended.stderr.contains("Going on after line "), "{ended:#?}");
        let counts = ended.json();
        let of = |name: &str| counts[name].as_u64().unwrap();
        // At most the batch that was on its way is told twice.
        assert!(of("created") + of("exists") == 3000 && of("exists") <= 10 && of("refused") == 1, "{counts}");
        let refused = fs::read_to_string(place.path().join(format!("{name}.refused.csv"))).unwrap();
        assert_eq!(refused.lines().count(), 2, "{refused}");
        assert!(!progress.exists());
        let listed = place.run(&["user", "list", "-o", "jsonl"]).done().stdout;
        assert_eq!(listed.lines().count(), 3000);

        // A file that was written anew is another one, and a finished import begins anew.
        let again = place.run(&["user", "import", &name, "-o", "json"]).ended(1);
        assert!(!again.stderr.contains("Going on"), "{again:#?}");
        assert_eq!(again.json(), json!({"created": 0, "exists": 3000, "refused": 1}));
    }
}

#[test]
fn a_place_in_another_file_or_on_another_platform_is_no_place_to_go_on() {
    let platform = Place::new().serve(&[]);
    let place = &platform.place;
    fs::write(place.path().join("users.csv"), "email\na@example.com\nb@example.com\n").unwrap();
    let stale = json!({"of": "19 bytes of 1 ns to http://127.0.0.1:1/", "place": {"file": {"byte": 20, "line": 3}},
        "counts": {"created": 7, "exists": 0, "refused": 0}, "refused_bytes": 0});
    fs::write(place.path().join("users.csv.progress.json"), stale.to_string()).unwrap();
    let imported = place.run(&["user", "import", "users.csv", "-o", "json"]).done();
    assert_eq!(imported.json(), json!({"created": 2, "exists": 0, "refused": 0}));
    assert!(!imported.stderr.contains("Going on"), "{imported:#?}");
}
