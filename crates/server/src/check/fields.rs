//! The declared custom fields, and the users whose values don't fit them.

use countersign::Countersign;
use countersign::core::fields::{Editor, FieldKind, FieldSpec};
use countersign::service::fields::Misfit;
use countersign::settings::Database;

use super::deploy::Finding;
use crate::config::Config;
use crate::outcome::{Failure, say};
use crate::text::escape;

/// How many users are listed where not all are asked for.
const LISTED: u64 = 20;

/// Shows the fields, goes through the users if there is a database, and tells of those whose values don't fit. For
/// `--deploy`, what there is to find about that.
pub(super) async fn run(config: &Config, all: bool) -> Option<Finding> {
    let fields = &config.settings().user_fields;
    if fields.is_empty() {
        return None;
    }
    say("Custom user fields:");
    let width = fields.iter().map(|spec| spec.name.len()).max().unwrap_or_default();
    for spec in fields {
        say(&format!("  {:width$}  {}", spec.name, escape(&described(spec))));
    }
    say("");
    match &config.settings().database {
        Database::Sqlite(path) if !path.exists() => return None,
        Database::Sqlite(_) | Database::Postgres(_) => {}
    }
    let problem = match misfits(config, all).await {
        Ok(0) => return None,
        Ok(1) => "1 user has values that don't fit their fields".to_owned(),
        Ok(more) => format!("{more} users have values that don't fit their fields"),
        Err(failure) => format!("the values of users could not be checked: {failure}"),
    };
    let remedy = "they stay as they are until they are written; correct them, or the declarations";
    say(&format!("warning: user_fields: {problem}; {remedy}"));
    Some(Finding { setting: "user_fields", problem, remedy: remedy.to_owned() })
}

/// Lists users whose values don't fit; how many they are.
async fn misfits(config: &Config, all: bool) -> Result<u64, Failure> {
    let mut settings = config.settings().clone();
    settings.hashing_threads = 1;
    let countersign = Countersign::builder().settings(settings).looking_only().build().await?;
    let mut found = 0;
    let walked = countersign.service().misfits(|misfit| {
        found += 1;
        if all || found <= LISTED {
            say(&line(&misfit));
        }
    });
    let walked = walked.await;
    countersign.shutdown().await;
    walked?;
    if !all && found > LISTED {
        say(&format!("  and {} more; countersign check --all lists them", found - LISTED));
    }
    Ok(found)
}

/// `  ana (7): phone: This field is required.`
fn line(misfit: &Misfit) -> String {
    let told = misfit.errors.iter().map(|(field, sentences)| format!("{field}: {}", sentences.join(" ")));
    let told = told.collect::<Vec<_>>().join(" ");
    escape(&format!("  {} ({}): {told}", misfit.username, misfit.user))
}

/// `string, at most 20 characters, required, in tokens, written by users`
fn described(spec: &FieldSpec) -> String {
    let mut words = vec![spec.kind.name().to_owned()];
    match &spec.kind {
        FieldKind::Enum { choices } => words.push(format!("one of {}", choices.join(" / "))),
        kind => {
            if let Some(rule) = kind.text_rule() {
                words.push(format!("at most {} characters", rule.max_length));
                words.extend(rule.pattern.iter().map(|pattern| format!("like {}", pattern.as_str())));
            }
        }
    }
    words.extend(spec.default.iter().map(|default| format!("{} by default", spec.text(default))));
    let flags = [(spec.required, "required"), (spec.unique, "unique"), (spec.in_token, "in tokens")];
    words.extend(flags.iter().filter(|(holds, _)| *holds).map(|(_, word)| (*word).to_owned()));
    let editor = match spec.editable_by {
        Editor::User => "written by users",
        Editor::Staff => "written by staff",
    };
    words.push(editor.to_owned());
    words.join(", ")
}
