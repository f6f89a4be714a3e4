//! `kubernetes.yaml`.

use yaml_rust2::Yaml;

use crate::yaml::{Node, documents};
use crate::{assert_settings, assert_understood, file};

#[test]
fn the_pods_have_settings_and_commands_that_the_program_takes() {
    let yaml = documents(&file("kubernetes.yaml"));
    let mut settings: crate::Environment =
        kind(&yaml, "ConfigMap").at("data").members().iter().map(|(k, v)| (k.clone(), v.text())).collect();
    // What the secrets hold, by the commands at the head of the file.
    for name in ["COUNTERSIGN_ROOT_SECRET", "COUNTERSIGN_REFRESH_TOKEN_SECRET"] {
        settings.insert(name.to_owned(), format!("{name}-0123456789abcdef0123456789abcdef"));
    }
    let text = file("kubernetes.yaml");
    let url = text.split_once("COUNTERSIGN_DATABASE_URL='").unwrap().1.split('\'').next().unwrap();
    settings.insert("COUNTERSIGN_DATABASE_URL".to_owned(), url.to_owned());
    assert_settings(&settings);

    let pod = kind(&yaml, "Deployment").at("spec.template.spec");
    for container in pod.at("containers").list().into_iter().chain(pod.at("initContainers").list()) {
        assert_understood(&container.at("args").texts());
        let shut = container.at("securityContext");
        assert_eq!(shut.at("readOnlyRootFilesystem").0, &Yaml::Boolean(true));
        assert_eq!(shut.at("capabilities.drop").texts(), ["ALL"]);
    }
    // What Kubernetes would add to the environment is no setting.
    assert_eq!(pod.at("enableServiceLinks").0, &Yaml::Boolean(false));
}

#[test]
fn the_probes_ask_for_what_the_program_answers_at_the_port_where_it_listens() {
    let yaml = documents(&file("kubernetes.yaml"));
    let pod = kind(&yaml, "Deployment").at("spec.template.spec");
    let containers = pod.at("containers").list();
    let container = &containers[0];
    let probe = |name: &str| container.at(name).at("httpGet.path").text();
    assert_eq!((probe("livenessProbe"), probe("readinessProbe")), ("/healthz".into(), "/readyz".into()));

    let data = kind(&yaml, "ConfigMap").at("data");
    for (name, setting) in [("http", "COUNTERSIGN_LISTEN"), ("metrics", "COUNTERSIGN_METRICS_LISTEN")] {
        let ports = container.at("ports").list();
        let port = ports.iter().find(|port| port.at("name").text() == name).unwrap();
        assert!(data.at(setting).text().ends_with(&format!(":{}", port.at("containerPort").text())));
    }
}

#[test]
fn everything_selects_the_pods_by_the_labels_that_they_have() {
    let yaml = documents(&file("kubernetes.yaml"));
    let labels = kind(&yaml, "Deployment").at("spec.template.metadata.labels");
    for (of, path) in [
        ("Deployment", "spec.selector.matchLabels"),
        ("Service", "spec.selector"),
        ("PodDisruptionBudget", "spec.selector.matchLabels"),
        ("NetworkPolicy", "spec.podSelector.matchLabels"),
    ] {
        assert_eq!(kind(&yaml, of).at(path).0, labels.0, "{of}");
    }
}

fn kind<'a>(yaml: &'a [Yaml], name: &str) -> Node<'a> {
    Node(yaml.iter().find(|document| document["kind"].as_str() == Some(name)).unwrap())
}
