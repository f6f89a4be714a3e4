//! What one node knows, every other does.

use std::time::{Duration, Instant};

use countersign_testing::Cluster;

use crate::common::http::{Request, Session};
use crate::common::user::User;
use crate::nodes::{Nodes, login, profile, published_keys};

// attack 113
#[test]
fn any_node_goes_on_with_a_session_and_verifies_what_another_signed() {
    let nodes = Nodes::start(&Cluster::shared().database(), &[]);
    let users = [User::new(0)];
    nodes.create(&users);
    let (mut one, mut other) = (nodes.to(0), nodes.to(1));
    assert_eq!(published_keys(&mut one), published_keys(&mut other));

    let first = login(&mut one, &users[0]);
    profile(&mut other, &first).expect(200);
    let second = first.after(other.call(&Request::refresh(&first)).unwrap());
    assert_eq!((second.generation(), &second.csrf), (first.generation() + 1, &first.csrf));
    let third = second.after(one.call(&Request::refresh(&second)).unwrap());
    profile(&mut other, &third).expect(200);
    // A token that was used at one node is used up at the other.
    other.call(&Request::refresh(&first)).unwrap().refused(401, "refresh_token_reused");
    one.call(&Request::refresh(&third)).unwrap().refused(401, "session_ended");
}

// attack 34, attack 44, attack 113
#[test]
fn what_ends_anywhere_is_ended_everywhere_within_a_second() {
    let nodes = Nodes::start(&Cluster::shared().database(), &[]);
    let users = [User::new(0), User::new(1)];
    nodes.create(&users);
    let (mut one, mut other) = (nodes.to(0), nodes.to(1));
    // Each node has seen the token, so that it asks no store about it any more.
    let mut seen_by_both = |user: &User| {
        let session = login(&mut one, user);
        profile(&mut one, &session).expect(200);
        profile(&mut other, &session).expect(200);
        session
    };
    let by_logout = seen_by_both(&users[0]);
    let by_id = seen_by_both(&users[0]);
    let by_command = seen_by_both(&users[0]);
    let by_theft = seen_by_both(&users[0]);
    let by_password = seen_by_both(&users[1]);

    let (mut one, mut other) = (nodes.to(0), nodes.to(1));
    one.call(&Request::new("POST /accounts/logout").of(&by_logout)).unwrap().expect(204);
    assert_ends(&nodes, &by_logout, Instant::now());

    let line = format!("DELETE /accounts/sessions/{}", by_id.id);
    other.call(&Request::new(&line).of(&by_theft)).unwrap().expect(204);
    assert_ends(&nodes, &by_id, Instant::now());

    nodes.command(&["sessions", "end", &by_command.id]);
    assert_ends(&nodes, &by_command, Instant::now());

    let next = by_theft.after(one.call(&Request::refresh(&by_theft)).unwrap());
    // Nodes agree on the time to within a fraction of this. Until then the other one may see no later moment.
    std::thread::sleep(Duration::from_secs(1));
    other.call(&Request::refresh(&by_theft)).unwrap().refused(401, "refresh_token_reused");
    assert_ends(&nodes, &next, Instant::now());

    let change =
        serde_json::json!({ "old_password": users[1].password, "new_password": "a pear tree in winter" });
    let changed = Request::new("POST /accounts/password").of(&by_password).json(&change);
    let successor = Session::begun(one.call(&changed).unwrap());
    assert_ends(&nodes, &by_password, Instant::now());
    profile(&mut other, &successor).expect(200);
}

// attack 36, attack 113
#[test]
fn whoever_is_deactivated_or_deleted_is_refused_everywhere_within_a_second() {
    let nodes = Nodes::start(&Cluster::shared().database(), &[]);
    let users = [User::new(0), User::new(1)];
    nodes.create(&users);
    let acts: [&[&str]; 2] = [&["users", "deactivate"], &["users", "delete", "--yes"]];
    for (user, act) in users.iter().zip(acts) {
        let session = login(&mut nodes.to(0), user);
        for node in [0, 1] {
            profile(&mut nodes.to(node), &session).expect(200);
        }
        nodes.command(&[act, &[&*user.name]].concat());
        let done = Instant::now();
        wait_for(done, || {
            let refused = [0, 1].map(|node| profile(&mut nodes.to(node), &session).status == 401);
            (refused == [true, true]).then_some(())
        });
        for node in [0, 1] {
            let server = &mut nodes.to(node);
            profile(server, &session).refused(401, "user_inactive");
            server.call(&Request::refresh(&session)).unwrap().refused(401, "user_inactive");
            let again = Request::login(&user.name, &user.password);
            server.call(&again).unwrap().refused(401, "invalid_credentials");
        }
    }
}

// attack 24, attack 113
#[test]
fn a_key_that_is_made_or_removed_is_so_at_every_node_within_a_second() {
    let nodes = Nodes::start(&Cluster::shared().database(), &[]);
    let users = [User::new(0)];
    nodes.create(&users);
    let session = login(&mut nodes.to(0), &users[0]);
    let before = published_keys(&mut nodes.to(0));

    nodes.command(&["keys", "rotate", "--now"]);
    let rotated = Instant::now();
    let published = wait_for(rotated, || {
        let keys = [0, 1].map(|node| published_keys(&mut nodes.to(node)));
        (keys[0].len() == 2 && keys[0] == keys[1]).then(|| keys[0].clone())
    });
    assert!(published.contains(&before[0]));
    profile(&mut nodes.to(1), &session).expect(200);

    nodes.command(&["keys", "prune", "--kid", &before[0]]);
    let pruned = Instant::now();
    wait_for(pruned, || {
        let refused = [0, 1].map(|node| profile(&mut nodes.to(node), &session).status == 401);
        (refused == [true, true]).then_some(())
    });
}

/// The session's access token is refused at every node a second after this moment.
pub(crate) fn assert_ends(nodes: &Nodes, session: &Session, since: Instant) {
    wait_for(since, || {
        let refused = [0, 1].map(|node| profile(&mut nodes.to(node), session).status == 401);
        (refused == [true, true]).then_some(())
    });
    for node in [0, 1] {
        profile(&mut nodes.to(node), session).refused(401, "session_ended");
        nodes.to(node).call(&Request::refresh(session)).unwrap().refused(401, "session_ended");
    }
}

/// Asks until there is an answer. The last time that counts is asked a second later.
pub(crate) fn wait_for<T>(since: Instant, ask: impl Fn() -> Option<T>) -> T {
    loop {
        let is_last = since.elapsed() >= Duration::from_secs(1);
        if let Some(answer) = ask() {
            return answer;
        }
        assert!(!is_last, "not within a second");
        std::thread::sleep(Duration::from_millis(20));
    }
}
