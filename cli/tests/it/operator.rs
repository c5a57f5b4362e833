//! To whom the command signs itself an operator's token: the platform that runs here, or an address that it was told.

use crate::hostile::Hostile;
use crate::process::{Place, Platform};

/// Commands that sign in, one of each kind.
const COMMANDS: [&[&str]; 6] = [
    &["user", "list"],
    &["user", "create", "eve@example.com", "--admin"],
    &["role", "list"],
    &["audit", "list"],
    &["key", "list"],
    &["service-account", "list"],
];

/// A platform at a port that stays the same.
fn of_a_fixed_port() -> Platform {
    let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    Place::new().with("PLATFORM__GATEWAY__LISTEN", &port.to_string()).serve(&[])
}

#[test]
fn whoever_holds_the_port_of_a_platform_that_is_down_is_sent_nothing() {
    for signal in ["TERM", "KILL"] {
        let mut platform = of_a_fixed_port();
        platform.place.run(&["user", "list"]).done();
        platform.signal(signal);
        platform.end();
        let address = platform.gateway();
        let server = Hostile::at(&address, |_, client| crate::hostile::json(client, "200 OK", "", "[]"));
        let place = &platform.place;
        for command in COMMANDS {
            place.run(command).failed(5, "no platform runs here");
        }
        let by_name = place.run(&["--context", "local", "user", "list"]);
        by_name.failed(5, "no platform runs here");
        assert!(server.heads().is_empty(), "{:?}", server.heads());

        // Told where: it may be another container of the same settings.
        let url = format!("http://{address}");
        place.run(&["--url", &url, "user", "list"]).done();
        assert!(server.heads()[0].contains("Bearer ") || server.heads()[0].contains("bearer "));
        // Another address than that of the settings is given nothing, whoever names it.
        let other = Hostile::of_json("[]");
        place.run(&["--url", &other.url(), "user", "list"]).failed(4, "not signed in");
        assert!(other.heads().is_empty(), "{:?}", other.heads());
    }
}

#[test]
fn a_context_of_the_address_that_is_current_is_no_word_of_this_command() {
    let mut platform = of_a_fixed_port();
    let home = platform.place.path().join("home");
    platform.place =
        std::mem::replace(&mut platform.place, Place::new()).with("HOME", home.to_str().unwrap());
    let folder = home.join(".config/platform");
    std::fs::create_dir_all(&folder).unwrap();
    let address = platform.gateway();
    let contexts = format!("current = \"mine\"\n[context.mine]\nurl = \"http://{address}/\"\n");
    std::fs::write(folder.join("contexts.toml"), contexts).unwrap();
    platform.place.run(&["user", "list"]).done();
    platform.signal("TERM");
    platform.end();
    let server = Hostile::at(&address, |_, client| crate::hostile::json(client, "200 OK", "", "[]"));
    platform.place.run(&["user", "list"]).failed(4, "no platform runs here");
    assert!(server.heads().is_empty(), "{:?}", server.heads());
}
