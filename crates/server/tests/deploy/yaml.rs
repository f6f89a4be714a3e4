//! Reading YAML.

use std::ops::Index;

use yaml_rust2::{Yaml, YamlLoader};

/// A piece of YAML; what isn't there is `BadValue`.
pub(crate) struct Node<'a>(pub(crate) &'a Yaml);

/// All documents of a text.
pub(crate) fn documents(text: &str) -> Vec<Yaml> {
    YamlLoader::load_from_str(text).unwrap()
}

/// A member, its own or merged in (`<<: *anchor`).
pub(crate) fn member<'a>(of: &'a Yaml, name: &str) -> &'a Yaml {
    let own = of.index(name);
    let merged = of.index("<<");
    if own.is_badvalue() && !merged.is_badvalue() { member(merged, name) } else { own }
}

impl<'a> Node<'a> {
    /// The piece at the end of a path of members: `spec.template.spec`.
    pub(crate) fn at(&self, path: &str) -> Node<'a> {
        Node(path.split('.').fold(self.0, member))
    }

    /// A text, or a number as it was written.
    pub(crate) fn text(&self) -> String {
        match self.0 {
            Yaml::String(text) => text.clone(),
            Yaml::Integer(number) => number.to_string(),
            other => panic!("no text: {other:?}"),
        }
    }

    pub(crate) fn list(&self) -> Vec<Node<'a>> {
        self.0.as_vec().unwrap_or_else(|| panic!("no list: {:?}", self.0)).iter().map(Node).collect()
    }

    pub(crate) fn texts(&self) -> Vec<String> {
        self.list().iter().map(Node::text).collect()
    }

    /// The members, those that are merged in too.
    pub(crate) fn members(&self) -> Vec<(String, Node<'a>)> {
        let mut members = Vec::new();
        for (name, value) in self.0.as_hash().unwrap_or_else(|| panic!("no members: {:?}", self.0)) {
            match name.as_str().unwrap() {
                "<<" => members.splice(0..0, Node(value).members()).for_each(drop),
                name => members.push((name.to_owned(), Node(value))),
            }
        }
        members
    }
}
