//! Partners, keys, groups and nodes.

use crate::support::*;
use florin_ledger::command::Command;
use florin_ledger::directory::*;
use florin_ledger::effect::{Effect, Refusal};
use florin_ledger::id::*;

fn group(id: u32, region: &str) -> DirectoryCommand {
    DirectoryCommand::PutGroup(Group {
        id: GroupId(id),
        members: vec![NodeId(1), NodeId(2), NodeId(3)],
        home_region: Some(region.into()),
    })
}

fn partner(name: &str, region: Option<&str>) -> DirectoryCommand {
    DirectoryCommand::CreatePartner {
        name: name.into(),
        home_region: region.map(Into::into),
        rate_limit: 0,
    }
}

fn key(hash: u8, partner: Id) -> DirectoryCommand {
    DirectoryCommand::CreateKey {
        hash: [hash; 32],
        partner,
        mode: Mode::Live,
        scopes: vec!["admin".into()],
        api_version: "2026-11-01".into(),
        networks: vec![],
    }
}

fn run(world: &mut World, command: DirectoryCommand) -> Result<Item, DirectoryRefusal> {
    match world.run(Command::Directory(command)).effect {
        Effect::Directory(effect) => Ok(effect.item),
        Effect::Refused(Refusal::Directory(why)) => Err(why),
        other => panic!("{other:?}"),
    }
}

fn onboard(world: &mut World, name: &str, region: Option<&str>) -> Partner {
    match run(world, partner(name, region)).unwrap() {
        Item::Partner(partner) => partner.value,
        other => panic!("{other:?}"),
    }
}

#[test]
fn partners_live_at_home_where_there_is_most_room() {
    let mut world = World::new(0);
    assert_eq!(
        run(&mut world, partner("early", None)),
        Err(DirectoryRefusal::NoGroup)
    );
    run(&mut world, group(0, "eu")).unwrap();
    assert_eq!(
        run(&mut world, partner("early", Some("eu"))),
        Err(DirectoryRefusal::NoGroup)
    );
    for (id, region) in [(3, "us"), (1, "eu"), (2, "eu")] {
        run(&mut world, group(id, region)).unwrap();
    }
    for (region, expected) in [
        (Some("eu"), 1),
        (Some("eu"), 2),
        (Some("eu"), 1),
        (None, 3),
        (None, 2),
        (Some("asia"), 3),
        (Some("us"), 3),
        (Some("eu"), 1),
    ] {
        assert_eq!(
            onboard(&mut world, "p", region).group,
            GroupId(expected),
            "{region:?}"
        );
    }
    world.check_restart_and_replay();
}

#[test]
fn keys_belong_to_partners_and_run_out() {
    let mut world = World::new(0);
    run(&mut world, group(1, "eu")).unwrap();
    let id = onboard(&mut world, "p", None).id;
    assert_eq!(
        run(&mut world, key(1, Id(5))),
        Err(DirectoryRefusal::PartnerNotFound(Id(5)))
    );
    let Item::Key(made) = run(&mut world, key(1, id)).unwrap() else {
        panic!()
    };
    assert_eq!(run(&mut world, key(1, id)), Err(DirectoryRefusal::KeyTaken));
    let expire_at = |key, at| DirectoryCommand::ExpireKey {
        key,
        at: Timestamp(at),
    };
    let expire = |key| expire_at(key, 5);
    assert_eq!(
        run(&mut world, expire(Id(6))),
        Err(DirectoryRefusal::KeyNotFound(Id(6)))
    );
    run(&mut world, expire(made.value.id)).unwrap();
    let (found, owner) = world.state.directory().key(&[1; 32]).unwrap();
    assert_eq!((found.expires_at, owner.id), (Some(Timestamp(5)), id));
    // An end may come sooner, never later.
    for (at, end) in [(5, 5), (9, 5), (3, 3), (4, 3)] {
        run(&mut world, expire_at(made.value.id, at)).unwrap();
        let (found, _) = world.state.directory().key(&[1; 32]).unwrap();
        assert_eq!(found.expires_at, Some(Timestamp(end)), "asked for {at}");
    }
    let update = |partner| DirectoryCommand::UpdatePartner {
        partner,
        suspended: Some(true),
        rate_limit: None,
    };
    assert_eq!(
        run(&mut world, update(Id(5))),
        Err(DirectoryRefusal::PartnerNotFound(Id(5)))
    );
    run(&mut world, update(id)).unwrap();
    assert!(world.state.directory().partners[&id].value.suspended);
    world.check_restart_and_replay();
}

#[test]
fn followers_catch_up_from_any_version() {
    let mut world = World::new(0);
    let node = |address: &str| {
        DirectoryCommand::PutNode(Node {
            id: NodeId(1),
            name: "one".into(),
            region: "eu".into(),
            address: address.into(),
            incarnation: 1,
        })
    };
    let mut behind = vec![Directory::default()];
    for command in [
        group(1, "eu"),
        node("a"),
        partner("p", None),
        node("a"),
        node("b"),
        group(1, "us"),
    ] {
        run(&mut world, command).unwrap();
        behind.push(world.state.directory().clone());
    }
    // What was there already is no change.
    assert_eq!(world.state.directory().version, 5);
    for mut follower in behind {
        for item in world.state.directory().since(follower.version) {
            follower.put(item);
        }
        assert_eq!(follower, *world.state.directory());
    }
    // What comes late changes nothing.
    let mut follower = world.state.directory().clone();
    for item in world.state.directory().since(0) {
        follower.put(item);
    }
    let Item::Node(mut old) = run(&mut world, node("b")).unwrap() else {
        panic!()
    };
    old.version = 1;
    old.value.address = "old".into();
    follower.put(Item::Node(old));
    assert_eq!(follower, *world.state.directory());
}
