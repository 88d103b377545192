//! Random stories, told to the ledger and to a naive model, which must agree about everything.

mod naive;

use crate::support::*;
use florin_ledger::command::*;
use florin_ledger::effect::Effect;
use florin_ledger::id::*;
use florin_ledger::limits;
use florin_ledger::query::{Answer, Query, answer};
use naive::{Expected, Naive};
use proptest::prelude::*;

/// A command before it is known which objects there are; numbers choose among them.
#[derive(Clone, Debug)]
struct Step {
    test_mode: bool,
    once: Option<(u8, u8)>,
    verb: Verb,
}

#[derive(Clone, Debug)]
enum Verb {
    Account {
        constraint: u8,
        limit: u8,
        euros: bool,
        reference: Option<u8>,
    },
    Transfer(Draft),
    Transfers {
        atomic: bool,
        drafts: Vec<Draft>,
    },
    Post {
        of: u8,
        amount: Option<i128>,
    },
    Void {
        of: u8,
    },
    Reverse {
        of: u8,
    },
    Pay {
        draft: Draft,
        to_merchant: bool,
    },
    Capture {
        of: u8,
        amount: Option<i128>,
    },
    Cancel {
        of: u8,
    },
    Refund {
        of: u8,
        amount: Option<i128>,
    },
    Tick,
}

#[derive(Clone, Debug)]
struct Draft {
    debit: u8,
    credit: u8,
    amount: i128,
    euros: bool,
    pending: bool,
    expires_in: Option<u64>,
    reference: Option<u8>,
}

fn an_amount() -> impl Strategy<Value = i128> {
    prop_oneof![12 => 1..40_i128, 1 => Just(i128::MAX), 1 => Just(i128::MAX / 2), 1 => Just(1_i128 << 100)]
}

fn rarely<T: std::fmt::Debug>(
    strategy: impl Strategy<Value = T>,
) -> impl Strategy<Value = Option<T>> {
    proptest::option::weighted(0.25, strategy)
}

fn a_draft() -> impl Strategy<Value = Draft> {
    let expires_in = rarely(0..5_000_u64);
    let euros = proptest::bool::weighted(0.1);
    (
        0..6_u8,
        0..6_u8,
        an_amount(),
        euros,
        any::<bool>(),
        expires_in,
        rarely(0..20_u8),
    )
        .prop_map(
            |(debit, credit, amount, euros, pending, expires_in, reference)| Draft {
                debit,
                credit,
                amount,
                euros,
                pending,
                expires_in,
                reference,
            },
        )
}

fn a_verb() -> impl Strategy<Value = Verb> {
    let of = || 0..32_u8;
    let amount = || proptest::option::of(an_amount());
    prop_oneof![
        3 => (0..4_u8, 0..30_u8, proptest::bool::weighted(0.15), rarely(0..20_u8)).prop_map(
            |(constraint, limit, euros, reference)| Verb::Account { constraint, limit, euros, reference }
        ),
        6 => a_draft().prop_map(Verb::Transfer),
        3 => (any::<bool>(), proptest::collection::vec(a_draft(), 1..6))
            .prop_map(|(atomic, drafts)| Verb::Transfers { atomic, drafts }),
        3 => (of(), amount()).prop_map(|(of, amount)| Verb::Post { of, amount }),
        1 => of().prop_map(|of| Verb::Void { of }),
        2 => of().prop_map(|of| Verb::Reverse { of }),
        6 => (a_draft(), any::<bool>()).prop_map(|(draft, to_merchant)| Verb::Pay { draft, to_merchant }),
        3 => (of(), amount()).prop_map(|(of, amount)| Verb::Capture { of, amount }),
        1 => of().prop_map(|of| Verb::Cancel { of }),
        4 => (of(), amount()).prop_map(|(of, amount)| Verb::Refund { of, amount }),
        1 => Just(Verb::Tick),
    ]
}

fn a_step() -> impl Strategy<Value = Step> {
    (
        proptest::bool::weighted(0.1),
        proptest::option::of((0..12_u8, 0..3_u8)),
        a_verb(),
    )
        .prop_map(|(test_mode, once, verb)| Step {
            test_mode,
            once,
            verb,
        })
}

/// Batches and how much later than the last one each is stamped; now and then a day later.
fn a_story() -> impl Strategy<Value = Vec<(u64, Vec<Step>)>> {
    let later = prop_oneof![10 => 0..3_000_u64, 1 => Just(limits::KEY_RETENTION)];
    proptest::collection::vec((later, proptest::collection::vec(a_step(), 0..6)), 1..30)
}

fn newest(ids: &[Id], number: u8) -> Id {
    let at = ids.len().checked_sub(usize::from(number) / 2 + 1);
    at.map_or(Id(1), |at| ids[at])
}

/// Makes steps into commands on the objects that there are.
struct Telling {
    accounts: Vec<Id>,
    moved: Vec<Id>,
    payments: Vec<Id>,
}

impl Telling {
    fn account(&self, number: u8) -> Id {
        self.accounts
            .get(usize::from(number))
            .copied()
            .unwrap_or(Id(u128::from(number)))
    }

    /// The newest more often than the oldest: there something may still happen.
    fn moved(&self, number: u8) -> Id {
        newest(&self.moved, number)
    }

    /// Mostly a payment, sometimes anything.
    fn payment(&self, number: u8) -> Id {
        match number % 4 {
            0 => newest(&self.moved, number),
            _ => newest(&self.payments, number / 4),
        }
    }

    fn transfer(&self, draft: &Draft) -> NewTransfer {
        NewTransfer {
            pending: draft.pending,
            expires_in: draft.expires_in,
            reference: draft.reference.map(|number| number.to_string().into()),
            currency: currency(if draft.euros { "EUR" } else { "USD" }),
            ..transfer(
                self.account(draft.debit),
                self.account(draft.credit),
                draft.amount,
            )
        }
    }

    fn command(&self, verb: &Verb) -> Command {
        let some = |minor: &Option<i128>| minor.map(amount);
        match verb {
            Verb::Account {
                constraint,
                limit,
                euros,
                reference,
            } => {
                let constraint = match constraint {
                    0 => Constraint::DebitsWithinCredits,
                    1 => Constraint::CreditsWithinDebits,
                    _ => Constraint::None,
                };
                Command::CreateAccount(NewAccount {
                    overdraft_limit: i128::from(limit.saturating_sub(10)),
                    currency: currency(if *euros { "EUR" } else { "USD" }),
                    reference: reference.map(|number| number.to_string().into()),
                    ..account(AccountKind::Liability, constraint)
                })
            }
            Verb::Transfer(draft) => Command::CreateTransfer(self.transfer(draft)),
            Verb::Transfers { atomic, drafts } => Command::CreateTransfers {
                atomic: *atomic,
                transfers: drafts.iter().map(|draft| self.transfer(draft)).collect(),
            },
            Verb::Post { of, amount } => Command::PostTransfer {
                transfer: self.moved(*of),
                amount: some(amount),
            },
            Verb::Void { of } => Command::VoidTransfer {
                transfer: self.moved(*of),
            },
            Verb::Reverse { of } => Command::ReverseTransfer {
                transfer: self.moved(*of),
            },
            Verb::Pay { draft, to_merchant } => {
                let as_transfer = self.transfer(draft);
                let capture = if draft.pending {
                    CaptureMethod::Manual
                } else {
                    CaptureMethod::Automatic
                };
                Command::CreatePayment(NewPayment {
                    destination: (!to_merchant).then_some(as_transfer.credit_account),
                    reference: as_transfer.reference,
                    currency: as_transfer.currency,
                    ..payment(as_transfer.debit_account, draft.amount, capture)
                })
            }
            Verb::Capture { of, amount } => Command::CapturePayment {
                payment: self.payment(*of),
                amount: some(amount),
            },
            Verb::Cancel { of } => Command::CancelPayment {
                payment: self.payment(*of),
            },
            Verb::Refund { of, amount } => Command::CreateRefund {
                payment: self.payment(*of),
                amount: some(amount),
            },
            Verb::Tick => Command::Tick,
        }
    }

    fn envelope(&self, step: &Step) -> Envelope {
        let mode = if step.test_mode {
            Mode::Test
        } else {
            Mode::Live
        };
        let once = step.once.map(|(key, fingerprint)| Once {
            key: [key; 16],
            fingerprint: [fingerprint; 16],
        });
        Envelope {
            ledger: LedgerId { mode, ..PARTNER },
            once,
            command: self.command(&step.verb),
        }
    }
}

fn expected(effect: &Effect) -> Expected {
    match effect {
        Effect::Refused(why) => Expected::No(why.clone()),
        Effect::TransfersCreated(each) => Expected::Each(each.clone()),
        _ => Expected::Done,
    }
}

fn compare(world: &World, model: &Naive) {
    for opened in &model.accounts {
        let totals = world
            .state
            .account(opened.ledger, opened.id)
            .unwrap()
            .totals;
        assert_eq!(
            (totals.debits_posted, totals.debits_pending),
            model.side(opened.id, true)
        );
        assert_eq!(
            (totals.credits_posted, totals.credits_pending),
            model.side(opened.id, false)
        );
    }
    for moved in &model.moved {
        let ask = |query| answer(&world.state, &world.store, moved.ledger, &query);
        let Answer::Transfer(transfer) = ask(Query::Transfer(moved.id)) else {
            panic!("transfer {:?} is not found", moved.id);
        };
        assert_eq!(
            (transfer.status, transfer.amount_posted),
            (moved.status, moved.posted)
        );
        assert_eq!(transfer.payment, moved.payment);
        if moved.payment == Some(moved.id) {
            let Answer::Payment(payment) = ask(Query::Payment(moved.id)) else {
                panic!("payment {:?} is not found", moved.id);
            };
            assert_eq!(payment.amount_captured, moved.posted);
            assert_eq!(payment.amount_refunded, model.refunded(moved.id));
        }
    }
}

fn tell(story: &[(u64, Vec<Step>)]) {
    let mut world = World::new(1);
    let mut model = Naive::default();
    for (later, steps) in story {
        world.clock += later;
        let telling = Telling {
            accounts: model.accounts.iter().map(|opened| opened.id).collect(),
            moved: model.moved.iter().map(|moved| moved.id).collect(),
            payments: model.payments(),
        };
        let batch: Vec<Envelope> = steps.iter().map(|step| telling.envelope(step)).collect();
        let applied = world.batch(&batch);
        let answers = model.batch(world.clock, &batch);
        assert_eq!(applied.time.0, model.now);
        assert_eq!(applied.decisions.len(), answers.len());
        for (decision, (position, answer, replayed)) in applied.decisions.iter().zip(answers) {
            let what = (
                decision.position,
                expected(&decision.effect),
                decision.replayed,
            );
            assert_eq!(what, (position, answer, replayed));
        }
        compare(&world, &model);
    }
    world.check_restart_and_replay();
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 300, ..ProptestConfig::default() })]

    #[test]
    fn the_ledger_agrees_with_a_naive_model(story in a_story()) {
        tell(&story);
    }
}
