//! What the log says of what staff do, and of what they are refused.

use std::io;
use std::sync::{Arc, Mutex};

use http::StatusCode;
use serde_json::Value;

use crate::support::Site;

/// All that this thread logs while the guard lives.
#[derive(Clone, Default)]
struct Log(Arc<Mutex<Vec<u8>>>);

impl Log {
    fn listen() -> (Self, tracing::subscriber::DefaultGuard) {
        let log = Self::default();
        let writer = log.clone();
        let subscriber = tracing_subscriber::fmt().json().with_writer(move || writer.clone()).finish();
        (log, tracing::subscriber::set_default(subscriber))
    }

    /// The security events of this kind.
    fn told(&self, event: &str) -> Vec<Value> {
        let text = String::from_utf8(self.0.lock().unwrap().clone()).unwrap();
        let lines = text.lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
        lines
            .filter(|line| line["target"] == "countersign::security" && line["fields"]["event"] == event)
            .map(|mut line| line["fields"].take())
            .collect()
    }
}

impl io::Write for Log {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

// attack 118
#[tokio::test]
async fn each_change_of_a_group_or_a_permission_is_a_line_that_names_it_and_who_did_it() {
    let site = Site::new().await;
    let mut root = site.signed_in("root").await;
    let (log, _guard) = Log::listen();
    let permission = [("name", "reports.view"), ("description", "Read reports")];
    root.post("/admin/permissions/new", &permission).await.leads_to("/admin/groups");
    let made = root.post("/admin/groups/new", &[("name", "Editors")]).await.expect(StatusCode::SEE_OTHER);
    let group = made.header("location").to_owned();
    root.post(&group, &[("permission", "reports.view")]).await.leads_to(&group);
    root.post(&format!("{group}/delete"), &[]).await.leads_to("/admin/groups");
    root.post("/admin/permissions/delete", &[("name", "reports.view")]).await.leads_to("/admin/groups");

    let id = site.user("root").await.id.0;
    for (event, name) in [
        ("permission_created", "reports.view"),
        ("group_created", "Editors"),
        ("group_changed", "Editors"),
        ("group_deleted", "Editors"),
        ("permission_deleted", "reports.view"),
    ] {
        let told = log.told(event);
        assert_eq!(told.len(), 1, "{event}: {told:?}");
        assert_eq!((&told[0]["actor"], &told[0]["ip"]), (&id.into(), &"192.0.2.1".into()), "{event}");
        assert!(told[0]["detail"].as_str().unwrap().contains(name), "{event}: {told:?}");
    }
}

// attack 118
#[tokio::test]
async fn what_is_refused_is_one_line_with_who_where_from_and_why_and_without_what_was_sent() {
    let site = Site::new().await;
    let mut helper = site.planted("helper").await;
    let (log, _guard) = Log::listen();
    let sent = "a-token-of-somebody-else";
    helper.send_form("/admin/sign-out", &[("csrf", sent)]).await.expect(StatusCode::FORBIDDEN);
    helper.get("/admin/keys").await.expect(StatusCode::FORBIDDEN);

    let id = site.user("helper").await.id.0;
    let told = log.told("admin_refused");
    assert_eq!(told.len(), 2, "{told:?}");
    for (line, why) in told.iter().zip(["another session", "permission"]) {
        assert_eq!((&line["user"], &line["ip"]), (&id.into(), &"192.0.2.1".into()));
        assert!(line["why"].as_str().unwrap().contains(why), "{line}");
        assert!(!line.to_string().contains(sent));
    }
}
