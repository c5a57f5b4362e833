//! What the platform uses of others, where it is set: Valkey, the mail server, the collector of traces.

use std::time::Duration;

use tokio::net::TcpStream;
use tokio::time::timeout;
use url::Url;

use super::Installation;
use super::finding::Finding;

/// How long each may take.
const PATIENCE: Duration = Duration::from_secs(5);

/// Asks each that is set.
pub(super) async fn examine(of: &Installation) -> Vec<Finding> {
    if !of.has_gateway() {
        return Vec::new();
    }
    let (valkey, mail, collector) = tokio::join!(valkey(of), mail(of), collector(of));
    [valkey, mail, collector].into_iter().flatten().collect()
}

async fn valkey(of: &Installation) -> Option<Finding> {
    const CHECK: &str = "valkey";
    let url = gateway::ValkeyUrl::new(of.settings.gateway.valkey_url.as_ref()?).ok()?;
    Some(match url.probe().await {
        Ok(()) => Finding::good(CHECK, "Valkey takes writes"),
        Err(why) => Finding::fault(
            CHECK,
            "Valkey can't be used (gateway.valkey_url)",
            format!("{why}. Until it can, each replica counts rate limits and keeps answers alone."),
            "Start it, or correct user, password, host and port in gateway.valkey_url; a replica or a full one takes no writes.",
        ),
    })
}

async fn mail(of: &Installation) -> Option<Finding> {
    const CHECK: &str = "mail";
    let mail = &of.settings.mail;
    let transport = gateway::Transport::new(mail.smtp_url.as_ref()?, mail.from.as_deref()?).ok()?;
    let asked = timeout(PATIENCE, transport.probe()).await;
    Some(match asked.unwrap_or_else(|_| Err("it did not answer in time".to_owned())) {
        Ok(()) => Finding::good(CHECK, "the mail server lets us in"),
        Err(why) => Finding::fault(
            CHECK,
            "no letter can be handed to the mail server (mail.smtp_url)",
            format!("{why}. Nobody can reset a password or prove an address by letter."),
            "Correct host, port, user or password in mail.smtp_url (smtps:// for TLS, smtp://…?tls=required for STARTTLS).",
        ),
    })
}

async fn collector(of: &Installation) -> Option<Finding> {
    const CHECK: &str = "traces";
    let url = of.settings.telemetry.otlp_endpoint.as_ref()?;
    Some(match connect(url).await {
        Ok(()) => Finding::good(CHECK, "the collector of traces is there"),
        Err(why) => Finding::fault(
            CHECK,
            format!("the collector of traces at {url} can't be reached"),
            format!("{why}. Spans are dropped; no request waits for them."),
            "Start it, or correct telemetry.otlp_endpoint; without the setting no span is made.",
        ),
    })
}

async fn connect(url: &Url) -> Result<(), String> {
    let host = url.host_str().unwrap_or_default().trim_matches(['[', ']']);
    let port = url.port_or_known_default().unwrap_or(4318);
    match timeout(PATIENCE, TcpStream::connect((host, port))).await {
        Ok(Ok(_)) => Ok(()),
        Ok(Err(error)) => Err(error.to_string()),
        Err(_) => Err("it did not answer in time".to_owned()),
    }
}
