//! The core flows, from login to logout.

use crate::support::{ALICE, World};
use http::StatusCode;

// attack 76
#[tokio::test(flavor = "multi_thread")]
async fn a_session_from_login_to_logout() {
    let world = World::new().await;
    let mut browser = world.alice_in_a_browser().await;
    let profile = browser.get("/accounts/profile").await.expect(StatusCode::OK);
    assert_eq!(profile.body["user"]["username"], ALICE);
    world.clock.turn(60);
    let old = browser.jar.clone();
    browser.refresh().await.expect(StatusCode::OK);
    assert_ne!(browser.jar["refreshtoken"], old["refreshtoken"]);
    assert_eq!(browser.jar["csrftoken"], old["csrftoken"]);
    browser.post("/accounts/logout", serde_json::json!({})).await.expect(StatusCode::NO_CONTENT);
    assert!(browser.jar.is_empty());
    browser.get("/accounts/profile").await.refused(401, "session_ended");
}
