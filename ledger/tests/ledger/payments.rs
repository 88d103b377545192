//! Payments and refunds, row by row.

use crate::script::check;

#[test]
fn automatic_payments_reach_the_merchant_at_once() {
    check(
        "
        account  A funded 10.00
        pay      P1 A 3.00     => succeeded 3.00                    | A 7.00 merchant 3.00
        pay      P2 A 7.01     => refused insufficient_funds source: 7.00 of 7.01
        pay      P3 A 7.00     => succeeded 7.00                    | A 0.00 merchant 10.00
        account  B
        transfer T1 outside->A 5.00
        pay      P4 A->B 5.00  => succeeded 5.00                    | A 0.00 B 5.00 merchant 10.00
        pay      P5 merchant->B 1.00 => succeeded 1.00              | B 6.00 merchant 9.00
        ",
    );
}

#[test]
fn manual_payments_hold_until_captured_or_cancelled() {
    check(
        "
        account  A funded 10.00
        pay      P1 A 6.00 manual  => requires_capture              | A 4.00 merchant 0.00
        refund   R1 P1             => refused invalid_state: Refund when RequiresCapture
        capture  P1 6.01           => refused amount_too_large: 6.00 of 6.01
        capture  P1 2.00           => succeeded 2.00                | A 8.00 merchant 2.00
        capture  P1                => refused invalid_state: Capture when Succeeded
        cancel   P1                => refused invalid_state: Cancel when Succeeded
        pay      P2 A 8.00 manual  => requires_capture              | A 0.00
        wait     999999s           => nothing                       | A 0.00
        cancel   P2                => cancelled                     | A 8.00 merchant 2.00
        cancel   P2                => refused invalid_state: Cancel when Cancelled
        capture  P2                => refused invalid_state: Capture when Cancelled
        refund   R2 P2             => refused invalid_state: Refund when Cancelled
        pay      P3 A 8.00 manual  => requires_capture
        capture  P3                => succeeded 8.00                | A 0.00 merchant 10.00
        ",
    );
}

#[test]
fn refunds_give_back_what_was_captured_and_no_more() {
    check(
        "
        account  A funded 10.00
        pay      P1 A 6.00 manual
        capture  P1 5.00          => succeeded 5.00                 | A 5.00 merchant 5.00
        refund   R1 P1 5.01       => refused amount_too_large: 5.00 of 5.01
        refund   R2 P1 2.00       => refunded 2.00                  | A 7.00 merchant 3.00
        refund   R3 P1 3.01       => refused amount_too_large: 3.00 of 3.01
        refund   R4 P1            => refunded 3.00                  | A 10.00 merchant 0.00
        refund   R5 P1            => refused amount_too_large: 0.00 of 5.00
        refund   R6 P1 0.01       => refused amount_too_large: 0.00 of 0.01
        account  B
        pay      P2 A->B 4.00     => succeeded 4.00
        transfer T1 B->outside 3.00
        refund   R7 P2            => refused insufficient_funds destination: 1.00 of 4.00
        refund   R8 P2 1.00       => refunded 1.00                  | A 7.00 B 0.00
        account  C asset credits_within_debits
        pay      P3 C->B 2.00     => succeeded 2.00                 | C 2.00 B 2.00
        transfer T2 outside->C 1.50
        refund   R9 P3            => refused insufficient_funds source: 0.50 of 2.00
        ",
    );
}

#[test]
fn payments_that_cannot_be_are_refused_by_name() {
    check(
        "
        account  A funded 10.00
        account  E EUR
        pay      P1 X 1.00          => refused account_not_found source
        pay      P1 A->X 1.00       => refused account_not_found destination
        pay      P1 A->A 1.00       => refused same_account
        pay      P1 A->E 1.00       => refused currency_mismatch destination: E
        pay      P1 A 1.00 EUR      => refused currency_mismatch source: A
        pay      P1 E 1.00          => refused currency_mismatch source: E
        capture  X                  => refused payment_not_found
        cancel   X                  => refused payment_not_found
        refund   R1 X               => refused payment_not_found
        transfer T1 A->outside 1.00
        capture  T1                 => refused payment_not_found
        pay      P1 A 1.00          => succeeded 1.00
        pay      P2 merchant 1.00   => refused same_account
        ",
    );
}

#[test]
fn a_payments_transfer_is_moved_through_the_payment_only() {
    check(
        "
        account  A funded 10.00
        pay      P1 A 6.00 manual  => requires_capture
        post     P1                => refused owned_by_payment P1
        void     P1                => refused owned_by_payment P1
        capture  P1                => succeeded 6.00
        reverse  R0 P1             => refused owned_by_payment P1
        refund   R1 P1 1.00        => refunded 1.00
        reverse  R2 R1             => refused owned_by_payment P1
        cancel   R1                => refused payment_not_found
        ",
    );
}

#[test]
fn each_currency_has_a_merchant_account_of_its_own() {
    check(
        "
        account  A unconstrained
        account  E EUR unconstrained
        pay      P1 A 1.00         => succeeded 1.00                | merchant 1.00
        pay      P2 E 2.00 EUR     => succeeded 2.00                | merchant 2.00
        pay      P3 A 3.00         => succeeded 3.00                | merchant 2.00
        pay      P4 E 4.00 EUR     => succeeded 4.00                | merchant 6.00
        ",
    );
}
