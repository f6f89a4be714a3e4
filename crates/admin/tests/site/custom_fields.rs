//! Custom user fields, on every page where they are.

use countersign::core::fields::{Declaration, FieldType, UserFields};
use http::StatusCode;

use crate::support::{PASSWORD, Site};

/// A phone number that everyone must have, a plan to choose, and a day.
fn fields() -> UserFields {
    let text = |kind, label: &str| Declaration { label: Some(label.to_owned()), ..Declaration::new(kind) };
    let phone = Declaration { required: true, max_length: Some(20), ..text(FieldType::String, "Phone <b>") };
    let plan = Declaration {
        choices: Some(vec!["free".to_owned(), "team".to_owned()]),
        default: Some("free".into()),
        ..text(FieldType::Enum, "Plan")
    };
    let born = text(FieldType::Date, "Born");
    let declared = [("phone", phone), ("plan", plan), ("born", born)];
    UserFields::declare(declared.map(|(name, field)| (name.to_owned(), field))).unwrap()
}

#[tokio::test]
async fn the_first_superuser_is_asked_for_what_every_user_must_have() {
    let site = Site::empty_with(|settings| settings.user_fields = fields()).await;
    let token = site.countersign.service().new_setup_token().await.unwrap().unwrap();
    let path = format!("/admin/set-up/{}", &*token);
    let mut browser = site.browser();
    browser.get(&path).await.says("name=\"field.phone\"").says_nothing_of("name=\"field.born\"");
    let mut form = vec![("username", "root"), ("password", PASSWORD), ("again", PASSWORD)];
    browser.send_form(&path, &form).await.expect(StatusCode::BAD_REQUEST).says("field.phone-errors");
    form.push(("field.phone", "+49 30 1"));
    browser.send_form(&path, &form).await.leads_to("/admin/sign-in");
    assert_eq!(site.user("root").await.fields["phone"], "+49 30 1");
}

#[tokio::test]
async fn they_are_written_shown_and_found_by() {
    let site = Site::with(|settings| settings.user_fields = fields()).await;
    let mut root = site.planted("root").await;
    let form = [("username", "eve"), ("field.phone", "+49 30 2"), ("field.plan", "team")];
    root.post("/admin/users/new", &form).await.expect(StatusCode::SEE_OTHER);
    let eve = site.user("eve").await;
    assert_eq!(eve.fields["plan"], "team");
    let page = format!("/admin/users/{}", eve.id);
    let text =
        root.get(&page).await.expect(StatusCode::OK).says("value=\"+49 30 2\"").says("Phone &#60;b&#62;");
    text.says_nothing_of("Phone <b>");
    root.get("/admin/users?field.plan=team").await.says(">eve<").says_nothing_of(">ana<");
    root.get("/admin/users?field.plan=free").await.says(">ana<").says_nothing_of(">eve<");
    root.get("/admin/users?field.phone=1").await.expect(StatusCode::BAD_REQUEST);

    let wrong = [("username", "eve"), ("field.phone", "+49 30 2"), ("field.born", "yesterday")];
    root.post(&page, &wrong).await.expect(StatusCode::BAD_REQUEST).says("field.born-errors");
    let unknown = [("username", "eve"), ("field.phone", "+49 30 2"), ("field.is_superuser", "true")];
    root.post(&page, &unknown).await.expect(StatusCode::BAD_REQUEST);
    let right = [("username", "eve"), ("field.phone", "+49 30 2"), ("field.born", "1990-01-31")];
    root.post(&page, &right).await.leads_to(&page);
    let eve = site.user("eve").await;
    assert_eq!((&eve.fields["born"], &eve.fields["plan"]), (&"1990-01-31".into(), &"team".into()));
    assert!(!eve.is_superuser);
}
