//! Service accounts of a test, and what they ask for.

use serde_json::{Value, json};

use super::Gateway;

/// An account with a secret.
#[derive(Debug, Clone)]
pub(crate) struct Account {
    pub(crate) name: String,
    pub(crate) secret: String,
    pub(crate) secret_id: i64,
}

/// Sends a request with a form for a body.
pub(crate) async fn form(request: reqwest::RequestBuilder, fields: &[(&str, &str)]) -> reqwest::Response {
    let body = url::form_urlencoded::Serializer::new(String::new()).extend_pairs(fields).finish();
    request.header("content-type", "application/x-www-form-urlencoded").body(body).send().await.unwrap()
}

impl Gateway {
    /// Sends an administrator's request for a service account and gives status and body.
    pub(crate) async fn administer(&self, method: &str, path: &str, body: Option<Value>) -> (u16, Value) {
        self.administer_as(&self.operator().await, method, path, body).await
    }

    /// The same, as whoever has the token.
    pub(crate) async fn administer_as(
        &self,
        token: &str,
        method: &str,
        path: &str,
        body: Option<Value>,
    ) -> (u16, Value) {
        let url = self.url(&format!("/api_v1/service-accounts{path}"));
        let mut request = self.client.request(method.parse().unwrap(), url).bearer_auth(token);
        if let Some(body) = body {
            let kind = if method == "PATCH" { "application/merge-patch+json" } else { "application/json" };
            request = request.header("content-type", kind).body(body.to_string());
        }
        let answer = request.send().await.unwrap();
        let status = answer.status().as_u16();
        let text = answer.text().await.unwrap();
        (status, if text.is_empty() { Value::Null } else { serde_json::from_str(&text).unwrap() })
    }

    /// Creates an account of the role `admin` with these scopes, which may call the users service, and a secret of it.
    pub(crate) async fn account(&self, name: &str, scopes: &[&str]) -> Account {
        let body = json!({ "name": name, "roles": ["admin"], "scopes": scopes, "audiences": ["users"] });
        let (status, created) = self.administer("POST", "", Some(body)).await;
        assert_eq!(status, 201, "{created}");
        self.secret(name).await
    }

    /// One more secret of an account.
    pub(crate) async fn secret(&self, name: &str) -> Account {
        let (status, made) = self.administer("POST", &format!("/{name}/secrets"), None).await;
        assert_eq!(status, 201, "{made}");
        Account {
            name: name.to_owned(),
            secret: made["secret"].as_str().unwrap().to_owned(),
            secret_id: made["id"].as_i64().unwrap(),
        }
    }

    /// What the token endpoint answers to an account that asks by HTTP Basic for these fields more.
    pub(crate) async fn grant(&self, account: &Account, fields: &[(&str, &str)]) -> reqwest::Response {
        let fields = [&[("grant_type", "client_credentials")], fields].concat();
        let request = self.post("/api_v1/auth/token").basic_auth(&account.name, Some(&account.secret));
        form(request, &fields).await
    }

    /// An access token of an account.
    pub(crate) async fn token_of(&self, account: &Account) -> String {
        let answer = self.grant(account, &[]).await;
        assert_eq!(answer.status(), 200);
        let body: Value = answer.json().await.unwrap();
        body["access_token"].as_str().unwrap().to_owned()
    }

    /// The status of `GET /users` with a token.
    pub(crate) async fn list_users(&self, token: &str) -> u16 {
        self.get("/api_v1/users").bearer_auth(token).send().await.unwrap().status().as_u16()
    }
}
