//! `countersign createsuperuser`, `createuser` and `changepassword`.
//!
//! What is asked for and won't do is asked for again, with the reason; without a terminal it is a refusal.

use countersign::core::fields::FieldSpec;
use countersign::core::name::{Email, Username};
use countersign::service::password::{Password, TooLong};
use countersign::service::users::UserToCreate;
use countersign::service::{Error, Service};
use countersign::store::User;
use serde_json::{Map, Value};

use crate::outcome::{Failure, say};
use crate::prompt::Ask;
use crate::text::escape;

/// A user to be made.
pub(crate) struct Wish {
    pub(crate) username: String,
    pub(crate) email: String,
    /// Custom fields, by their names, as texts.
    pub(crate) fields: Vec<(String, String)>,
    pub(crate) is_superuser: bool,
}

/// What is known of a user to be made before anyone is asked.
pub(crate) struct Known {
    pub(crate) username: Option<String>,
    pub(crate) email: Option<String>,
    /// Custom fields, by their names, as texts.
    pub(crate) fields: Vec<(String, String)>,
    pub(crate) is_superuser: bool,
    /// The name of the one who is asked, which is offered as the user's.
    pub(crate) login: Option<String>,
}

/// Makes a user, asking nobody.
pub(crate) async fn create(service: &Service, wish: Wish, password: String) -> Result<(), Failure> {
    let Wish { username, email, fields, is_superuser } = wish;
    let fields = read_fields(service, &fields)?;
    let new = UserToCreate { username, email, password: read(password)?, is_superuser, fields };
    created(&service.create_user(new).await?);
    Ok(())
}

/// Makes a user, asking for what isn't known.
pub(crate) async fn create_asking(service: &Service, known: Known, ask: &mut dyn Ask) -> Result<(), Failure> {
    let given = read_fields(service, &known.fields)?;
    let username = ask_username(service, known.username, known.login, ask).await?;
    let email = ask_email(known.email, ask)?;
    let fields = ask_fields(service, given, ask)?;
    loop {
        let new = UserToCreate {
            username: username.clone(),
            email: email.clone(),
            password: ask_password(ask)?,
            is_superuser: known.is_superuser,
            fields: fields.clone(),
        };
        match service.create_user(new).await {
            Ok(user) => {
                created(&user);
                return Ok(());
            }
            Err(Error::InvalidFields(fields)) if fields.keys().all(|field| field == "password") => {
                fields.values().flatten().for_each(|reason| ask.tell(reason));
            }
            Err(error) => return Err(error.into()),
        }
    }
}

/// Changes a user's password to the one that was given.
pub(crate) async fn change_password(
    service: &Service,
    username: &str,
    password: String,
) -> Result<(), Failure> {
    let user = find(service, username).await?;
    service.set_password(&user, read(password)?).await?;
    changed(&user);
    Ok(())
}

/// Changes a user's password, asking for the new one.
pub(crate) async fn change_password_asking(
    service: &Service,
    username: &str,
    ask: &mut dyn Ask,
) -> Result<(), Failure> {
    let user = find(service, username).await?;
    ask.tell(&format!("A new password for {}.", user.username));
    loop {
        match service.set_password(&user, ask_password(ask)?).await {
            Ok(()) => {
                changed(&user);
                return Ok(());
            }
            Err(Error::InvalidPassword(reasons)) => reasons.iter().for_each(|reason| ask.tell(reason)),
            Err(error) => return Err(error.into()),
        }
    }
}

/// The user of this name.
pub(super) async fn find(service: &Service, username: &str) -> Result<User, Failure> {
    service.find_user(username).await.map_err(|error| match error {
        Error::NotFound => Failure::Refused(format!("there is no user {username}")),
        other => other.into(),
    })
}

async fn ask_username(
    service: &Service,
    mut given: Option<String>,
    login: Option<String>,
    ask: &mut dyn Ask,
) -> Result<String, Failure> {
    let login = match login.filter(|login| Username::parse(login).is_ok()) {
        Some(login) if service.find_user(&login).await.is_err() => Some(login),
        _ => None,
    };
    loop {
        let username = match (given.take(), &login) {
            (Some(given), _) => given,
            (None, Some(login)) => {
                let answer = ask.line(&format!("User name (leave it empty for {login}): "))?;
                if answer.is_empty() { login.clone() } else { answer }
            }
            (None, None) => ask.line("User name: ")?,
        };
        if let Err(error) = Username::parse(&username) {
            ask.tell(&error.to_string());
            continue;
        }
        match service.find_user(&username).await {
            Err(Error::NotFound) => return Ok(username),
            Ok(_) => ask.tell("A user of this name exists already."),
            Err(error) => return Err(error.into()),
        }
    }
}

fn ask_email(mut given: Option<String>, ask: &mut dyn Ask) -> Result<String, Failure> {
    loop {
        let email = match given.take() {
            Some(given) => given,
            None => ask.line("E-mail address (may be left empty): ")?,
        };
        match Email::parse(&email) {
            Err(error) if !email.is_empty() => ask.tell(&error.to_string()),
            _ => return Ok(email),
        }
    }
}

fn read_fields(service: &Service, texts: &[(String, String)]) -> Result<Map<String, Value>, Failure> {
    let texts = texts.iter().map(|(name, text)| (&**name, &**text));
    service.user_fields().read_texts(texts, None).map_err(|wrong| Error::InvalidFields(wrong).into())
}

/// Asks for the required fields that aren't given.
fn ask_fields(
    service: &Service,
    mut given: Map<String, Value>,
    ask: &mut dyn Ask,
) -> Result<Map<String, Value>, Failure> {
    let is_missing = |spec: &&FieldSpec| spec.required && spec.shown(&given).is_null();
    let missing: Vec<&FieldSpec> = service.user_fields().iter().filter(is_missing).collect();
    for spec in missing {
        if !spec.help.is_empty() {
            ask.tell(&spec.help);
        }
        let value = loop {
            match spec.read_text(&ask.line(&format!("{}: ", spec.label))?) {
                Ok(Value::Null) => ask.tell("This field is required."),
                Ok(value) => break value,
                Err(sentence) => ask.tell(&sentence),
            }
        };
        given.insert(spec.name.clone(), value);
    }
    Ok(given)
}

fn ask_password(ask: &mut dyn Ask) -> Result<Password, Failure> {
    loop {
        let first = ask.hidden("Password: ")?;
        if ask.hidden("Password, once more: ")? != first {
            ask.tell("The two passwords are not the same. Try again.");
            continue;
        }
        match Password::new(first) {
            Ok(password) => return Ok(password),
            Err(TooLong) => ask.tell(&TooLong.to_string()),
        }
    }
}

fn read(password: String) -> Result<Password, Failure> {
    Password::new(password).map_err(|error| Failure::Refused(error.to_string()))
}

fn created(user: &User) {
    let kind = if user.is_superuser { "superuser" } else { "user" };
    say(&format!("The {kind} {} was created.", escape(&user.username)));
}

fn changed(user: &User) {
    say(&format!(
        "The password of {0} was changed, and every session of {0} has ended.",
        escape(&user.username)
    ));
}

#[cfg(test)]
mod tests {
    use std::collections::VecDeque;
    use std::io;

    use countersign::Countersign;
    use countersign::core::fields::{Declaration, FieldType, UserFields};

    use super::*;

    /// A person with answers prepared, who remembers what was said.
    struct Script {
        answers: VecDeque<&'static str>,
        said: Vec<String>,
    }

    impl Script {
        fn new(answers: &[&'static str]) -> Self {
            Self { answers: answers.iter().copied().collect(), said: Vec::new() }
        }

        fn heard(&self, part: &str) -> bool {
            self.said.iter().any(|sentence| sentence.contains(part))
        }
    }

    impl Ask for Script {
        fn line(&mut self, question: &str) -> io::Result<String> {
            self.said.push(question.to_owned());
            self.answers.pop_front().map(str::to_owned).ok_or(io::ErrorKind::UnexpectedEof.into())
        }

        fn hidden(&mut self, question: &str) -> io::Result<String> {
            self.line(question)
        }

        fn tell(&mut self, sentence: &str) {
            self.said.push(sentence.to_owned());
        }
    }

    struct Scene {
        _folder: tempfile::TempDir,
        countersign: Countersign,
    }

    impl Scene {
        async fn new() -> Self {
            Self::with(UserFields::default()).await
        }

        /// With custom fields.
        async fn with(fields: UserFields) -> Self {
            let folder = tempfile::tempdir().unwrap();
            let builder = Countersign::builder().data_dir(folder.path().join("data")).beside_a_server();
            let builder = builder.configure(|settings| settings.user_fields = fields);
            let countersign = builder.build().await.unwrap();
            Self { _folder: folder, countersign }
        }

        fn service(&self) -> &Service {
            self.countersign.service()
        }
    }

    fn known(username: Option<&str>, email: Option<&str>, login: Option<&str>) -> Known {
        let owned = |text: Option<&str>| text.map(str::to_owned);
        Known {
            username: owned(username),
            email: owned(email),
            fields: Vec::new(),
            is_superuser: true,
            login: owned(login),
        }
    }

    const GOOD: &str = "a plum tree in autumn";

    #[tokio::test]
    async fn what_is_not_given_is_asked_for() {
        let scene = Scene::new().await;
        let mut script = Script::new(&["ana", "ana@example.com", GOOD, GOOD]);
        create_asking(scene.service(), known(None, None, None), &mut script).await.unwrap();
        let user = scene.service().find_user("ana").await.unwrap();
        assert!(user.is_superuser && user.is_staff && user.is_active);
        assert_eq!(user.email, "ana@example.com");
    }

    #[tokio::test]
    async fn the_name_defaults_to_the_login_that_is_free() {
        let scene = Scene::new().await;
        let mut script = Script::new(&["", "", GOOD, GOOD]);
        create_asking(scene.service(), known(None, None, Some("ana")), &mut script).await.unwrap();
        assert!(script.heard("leave it empty for ana"));
        assert!(scene.service().find_user("ana").await.is_ok());
        let mut script = Script::new(&["ben", "", GOOD, GOOD]);
        create_asking(scene.service(), known(None, None, Some("ana")), &mut script).await.unwrap();
        assert!(!script.heard("leave it empty"));
    }

    #[tokio::test]
    async fn what_will_not_do_is_asked_for_again_with_the_reason() {
        let scene = Scene::new().await;
        let answers =
            ["a name", "ana", "no address", "", "short", "short", GOOD, "another plum tree", GOOD, GOOD];
        let mut script = Script::new(&answers);
        create_asking(scene.service(), known(None, None, None), &mut script).await.unwrap();
        for reason in ["has only letters", "like name@example.com", "characters", "not the same"] {
            assert!(script.heard(reason), "{reason}: {:?}", script.said);
        }
        let mut script = Script::new(&["ANA", "ben", "", GOOD, GOOD]);
        create_asking(scene.service(), known(None, None, None), &mut script).await.unwrap();
        assert!(script.heard("exists already"));
        assert!(script.said.iter().all(|sentence| !sentence.contains(GOOD)));
    }

    #[tokio::test]
    async fn what_is_given_is_not_asked_for() {
        let scene = Scene::new().await;
        let mut script = Script::new(&[GOOD, GOOD]);
        let given = known(Some("ana"), Some("ana@example.com"), None);
        create_asking(scene.service(), given, &mut script).await.unwrap();
        assert_eq!(script.said, ["Password: ", "Password, once more: "]);
    }

    fn departments() -> UserFields {
        let choices = Some(["sales", "support"].map(str::to_owned).to_vec());
        let help = Some("Who pays for it.".to_owned());
        let department = Declaration { required: true, choices, help, ..Declaration::new(FieldType::Enum) };
        let phone = Declaration::new(FieldType::String);
        let floor =
            Declaration { required: true, default: Some(1.into()), ..Declaration::new(FieldType::Integer) };
        let fields = [("department", department), ("phone", phone), ("floor", floor)];
        UserFields::declare(fields.map(|(name, declaration)| (name.to_owned(), declaration))).unwrap()
    }

    fn pairs<const N: usize>(fields: [(&str, &str); N]) -> Vec<(String, String)> {
        fields.map(|(name, value)| (name.to_owned(), value.to_owned())).to_vec()
    }

    #[tokio::test]
    async fn a_required_field_is_asked_for_until_it_fits() {
        let scene = Scene::with(departments()).await;
        let mut script = Script::new(&["", "marketing", "sales", GOOD, GOOD]);
        let given = Known { fields: pairs([("phone", " 555 ")]), ..known(Some("ana"), Some(""), None) };
        create_asking(scene.service(), given, &mut script).await.unwrap();
        assert!(script.heard("Who pays for it.") && script.heard("Choose one of these: sales, support."));
        let user = scene.service().find_user("ana").await.unwrap();
        assert_eq!(
            serde_json::Value::from(user.fields),
            serde_json::json!({"department": "sales", "phone": "555"})
        );

        let mut script = Script::new(&[GOOD, GOOD]);
        let given =
            Known { fields: pairs([("department", "support")]), ..known(Some("ben"), Some(""), None) };
        create_asking(scene.service(), given, &mut script).await.unwrap();
        assert_eq!(script.said, ["Password: ", "Password, once more: "]);
    }

    #[tokio::test]
    async fn a_field_that_will_not_do_is_refused_by_its_name() {
        let scene = Scene::with(departments()).await;
        for (fields, sentence) in [
            (pairs([]), "department: This field is required."),
            (pairs([("department", "")]), "department: This field is required."),
            (pairs([("department", "art")]), "department: Choose one of these: sales, support."),
            (pairs([("department", "sales"), ("floor", "x")]), "floor: Write a whole number"),
            (pairs([("department", "sales"), ("size", "1")]), "size: There is no such field."),
            (pairs([("department", "sales"), ("is_staff", "1")]), "is_staff: This field is read-only."),
        ] {
            let (username, email) = ("ana".to_owned(), String::new());
            let wish = Wish { username, email, fields, is_superuser: false };
            let error = create(scene.service(), wish, GOOD.into()).await.unwrap_err();
            assert!(error.to_string().starts_with(sentence), "{error}");
        }
    }

    #[tokio::test]
    async fn the_end_of_the_input_cancels() {
        let scene = Scene::new().await;
        let mut script = Script::new(&["ana", ""]);
        let error = create_asking(scene.service(), known(None, None, None), &mut script).await.unwrap_err();
        assert!(matches!(error, Failure::Refused(sentence) if sentence == "cancelled"));
        assert!(scene.service().find_user("ana").await.is_err());
    }

    #[tokio::test]
    async fn a_password_is_changed_when_a_good_one_was_given_twice() {
        let scene = Scene::new().await;
        let (username, email) = ("ana".into(), String::new());
        let ana = Wish { username, email, fields: Vec::new(), is_superuser: false };
        create(scene.service(), ana, GOOD.into()).await.unwrap();
        let next = "another plum tree";
        let mut script = Script::new(&["password1", "password1", next, next]);
        change_password_asking(scene.service(), "Ana", &mut script).await.unwrap();
        assert!(script.heard("A new password for ana.") && script.heard("characters"));
    }

    #[tokio::test]
    async fn a_user_that_is_not_there_is_refused_before_anything_is_asked() {
        let scene = Scene::new().await;
        let mut script = Script::new(&[]);
        let error = change_password_asking(scene.service(), "ana", &mut script).await.unwrap_err();
        assert_eq!(error.to_string(), "there is no user ana");
        assert_eq!(script.said.len(), 0);
    }
}
