//! s

use florin_ledger::command::*;
use florin_ledger::effect::*;
use crate::support::*;
#[test]
fn smoke() {
    let mut w = World::new(1);
    let world_ = w.make(Command::CreateAccount(world()));
    let a = w.funded(world_, 1000);
    let d = w.run(Command::CreatePayment(payment(
        a,
        300,
        CaptureMethod::Automatic,
    )));
    assert!(matches!(
        d.effect,
        Effect::PaymentCreated { opened: true, .. }
    ));
    assert_eq!(w.available(a), 700);
    let p = w.make(Command::CreatePayment(payment(
        a,
        300,
        CaptureMethod::Manual,
    )));
    assert_eq!(w.available(a), 400);
    w.make(Command::CapturePayment {
        payment: p,
        amount: Some(amount(100)),
    });
    assert_eq!(w.available(a), 600);
    w.make(Command::CreateRefund {
        payment: p,
        amount: None,
    });
    assert_eq!(w.available(a), 700);
    let t = w.make(Command::CreateTransfer(pending(
        a,
        world_,
        50,
        Some(500_000),
    )));
    assert_eq!(w.available(a), 650);
    assert_eq!(w.tick(1_000_000).expired, vec![(PARTNER, t)]);
    assert_eq!(w.available(a), 700);
    let restored = w.store.restore(w.state.group(), Default::default());
    restored.check().unwrap();
    assert_eq!(restored.hash(), w.state.hash());
}
