//! Whoever may not see the texts of HL7 v2 messages looks after them all the same.

use interactions::Settings;
use server::Config;
use store_embedded::Options;

use crate::site::Site;

const RIS: &str = "/admin/hl7v2/destinations/ris";
const MESSAGE: &str =
    "MSH|^~\\&|LAB|NORTH|EHR|SOUTH|20260101||ADT^A01|1|P|2.5\rPID|1||77||Okafor\r";

#[tokio::test]
async fn texts_of_messages_are_shown_to_whom_they_may_be_shown() {
    for (may_see, text, correction) in [(true, 200, 409), (false, 403, 403)] {
        let config = Config {
            may_see_messages: Some(Box::new(move || may_see)),
            ..Config::default()
        };
        let site = Site::configured(config, Options::default(), Settings::default()).await;
        for (method, path, body, status) in [
            ("PUT", "", r#"{"connect": "127.0.0.1:9"}"#, 204),
            ("POST", "/messages", MESSAGE, 202),
            ("GET", "/messages", "", 200),
            ("GET", "/messages/1", "", 200),
            ("GET", "/messages/1/raw", "", text),
            ("PUT", "/messages/1/raw", MESSAGE, correction),
            ("POST", "/messages/1/dismiss", "", 204),
            ("DELETE", "", "", 204),
        ] {
            let reply = site.ask(method, &format!("{RIS}{path}"), &[], body).await;
            let told = reply.text();
            assert_eq!(reply.status, status, "{may_see} {method} {path}: {told}");
            let shows = told.contains("Okafor");
            assert_eq!(shows, path.ends_with("/raw") && status == 200, "{told}");
        }
    }
}
