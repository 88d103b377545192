//! The codes that programs decide by.

use http::StatusCode;
use serde::Serialize;
use std::borrow::Cow;
use utoipa::openapi::schema::{ObjectBuilder, SchemaType, Type};
use utoipa::openapi::{RefOr, Schema};

/// The family of a code.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, utoipa::ToSchema)]
#[serde(rename_all = "snake_case")]
pub(crate) enum ErrorType {
    /// The request is wrong and would be wrong again.
    InvalidRequest,
    /// It is not known who asks.
    Authentication,
    /// Who asks may not do this.
    Permission,
    /// The rules of the ledger said no. Remembered with the idempotency key.
    Refusal,
    /// Too many requests.
    RateLimit,
    /// The service cannot answer now.
    Unavailable,
    /// A defect of the service.
    Internal,
}

impl ErrorType {
    /// As it stands in answers.
    pub(crate) fn name(self) -> &'static str {
        match self {
            ErrorType::InvalidRequest => "invalid_request",
            ErrorType::Authentication => "authentication",
            ErrorType::Permission => "permission",
            ErrorType::Refusal => "refusal",
            ErrorType::RateLimit => "rate_limit",
            ErrorType::Unavailable => "unavailable",
            ErrorType::Internal => "internal",
        }
    }
}

macro_rules! codes {
    ($($(#[doc = $doc:literal])+ $variant:ident = $name:literal, $status:literal, $kind:ident, $title:literal;)+) => {
        /// Every code of the API.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
        pub(crate) enum Code {
            $($(#[doc = $doc])+ #[serde(rename = $name)] $variant,)+
        }

        impl Code {
            /// All of them, in the order of their statuses.
            pub(crate) const ALL: &[Code] = &[$(Code::$variant),+];

            /// As it stands in answers.
            pub(crate) fn name(self) -> &'static str {
                match self { $(Code::$variant => $name),+ }
            }

            /// In words.
            pub(crate) fn title(self) -> &'static str {
                match self { $(Code::$variant => $title),+ }
            }

            /// The status it comes with.
            pub(crate) fn status(self) -> StatusCode {
                let status = match self { $(Code::$variant => $status),+ };
                StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR)
            }

            /// Its family.
            pub(crate) fn error_type(self) -> ErrorType {
                match self { $(Code::$variant => ErrorType::$kind),+ }
            }

            /// What it means, for the documents.
            pub(crate) fn meaning(self) -> &'static str {
                match self { $(Code::$variant => concat!($($doc),+)),+ }
            }
        }
    };
}

codes! {
    /// The body is not JSON.
    MalformedJson = "malformed_json", 400, InvalidRequest, "Malformed JSON";
    /// The body is not the protobuf message of the route.
    MalformedProtobuf = "malformed_protobuf", 400, InvalidRequest, "Malformed protobuf";
    /// A required field, query parameter or header is missing.
    ParameterMissing = "parameter_missing", 400, InvalidRequest, "Missing parameter";
    /// There is no such field or query parameter.
    ParameterUnknown = "parameter_unknown", 400, InvalidRequest, "Unknown parameter";
    /// A value is of the wrong type or out of its range.
    ParameterInvalid = "parameter_invalid", 400, InvalidRequest, "Invalid parameter";
    /// A POST that can move money needs an `Idempotency-Key`.
    IdempotencyKeyMissing = "idempotency_key_missing", 400, InvalidRequest, "Missing idempotency key";
    /// An `Idempotency-Key` is 1 to 255 visible ASCII characters.
    IdempotencyKeyInvalid = "idempotency_key_invalid", 400, InvalidRequest, "Invalid idempotency key";
    /// The `Api-Version` is not known.
    ApiVersionUnsupported = "api_version_unsupported", 400, InvalidRequest, "Unsupported API version";
    /// Both sides of the transfer are the same account.
    SameAccount = "same_account", 400, Refusal, "Same account";
    /// The account keeps another currency.
    CurrencyMismatch = "currency_mismatch", 400, Refusal, "Currency mismatch";
    /// More than what is pending, capturable or refundable.
    AmountTooLarge = "amount_too_large", 400, Refusal, "Amount too large";
    /// A balance would leave its range.
    BalanceOverflow = "balance_overflow", 400, Refusal, "Balance overflow";
    /// There is no `Authorization: Bearer` header.
    AuthenticationRequired = "authentication_required", 401, Authentication, "Authentication required";
    /// The API key is not known.
    ApiKeyInvalid = "api_key_invalid", 401, Authentication, "Invalid API key";
    /// The API key has run out.
    ApiKeyExpired = "api_key_expired", 401, Authentication, "Expired API key";
    /// The account would pass its constraint.
    InsufficientFunds = "insufficient_funds", 402, Refusal, "Insufficient funds";
    /// The API key lacks the scope.
    ScopeMissing = "scope_missing", 403, Permission, "Missing scope";
    /// The API key is bound to other networks.
    NetworkNotAllowed = "network_not_allowed", 403, Permission, "Network not allowed";
    /// The partner is suspended.
    PartnerSuspended = "partner_suspended", 403, Permission, "Partner suspended";
    /// There is no such route.
    RouteNotFound = "route_not_found", 404, InvalidRequest, "Route not found";
    /// There is no such account.
    AccountNotFound = "account_not_found", 404, InvalidRequest, "Account not found";
    /// There is no such transfer.
    TransferNotFound = "transfer_not_found", 404, InvalidRequest, "Transfer not found";
    /// There is no such payment.
    PaymentNotFound = "payment_not_found", 404, InvalidRequest, "Payment not found";
    /// There is no such refund.
    RefundNotFound = "refund_not_found", 404, InvalidRequest, "Refund not found";
    /// There is no such partner.
    PartnerNotFound = "partner_not_found", 404, InvalidRequest, "Partner not found";
    /// There is no such API key.
    ApiKeyNotFound = "api_key_not_found", 404, InvalidRequest, "API key not found";
    /// The route does not know this method.
    MethodNotAllowed = "method_not_allowed", 405, InvalidRequest, "Method not allowed";
    /// The body took too long to arrive.
    RequestTimeout = "request_timeout", 408, InvalidRequest, "Request timeout";
    /// The object's status forbids it.
    InvalidState = "invalid_state", 409, Refusal, "Invalid state";
    /// The reference was used before.
    ReferenceTaken = "reference_taken", 409, Refusal, "Reference taken";
    /// There is no group that a partner could be placed on.
    NoGroup = "no_group", 409, Refusal, "No group";
    /// The body or the command is too large.
    RequestTooLarge = "request_too_large", 413, InvalidRequest, "Request too large";
    /// Bodies are `application/json`, those of batches also `application/x-protobuf`.
    UnsupportedMediaType = "unsupported_media_type", 415, InvalidRequest, "Unsupported media type";
    /// The idempotency key was used for another request.
    IdempotencyKeyReused = "idempotency_key_reused", 422, InvalidRequest, "Idempotency key reused";
    /// The partner's rate limit is used up for now.
    RateLimited = "rate_limited", 429, RateLimit, "Rate limited";
    /// A defect of the service. Surely not applied.
    InternalError = "internal_error", 500, Internal, "Internal error";
    /// The partner's group has no leader now. Surely not applied.
    NoLeader = "no_leader", 503, Unavailable, "No leader";
    /// Too much is waiting already. Surely not applied.
    Busy = "busy", 503, Unavailable, "Busy";
    /// The group's disk is full: reads go on, writes wait for room. Surely not applied.
    DiskFull = "disk_full", 503, Unavailable, "Disk full";
    /// This frontend does not know yet whom it serves, or where. Surely not applied.
    NotReady = "not_ready", 503, Unavailable, "Not ready";
    /// No replica has seen yet what the `Consistency-Token` names.
    NotFreshYet = "not_fresh_yet", 503, Unavailable, "Not fresh yet";
    /// Perhaps applied: send the same request with the same key again to learn it.
    OutcomeUnknown = "outcome_unknown", 504, Unavailable, "Outcome unknown";
}

impl Code {
    /// Whether the same request, sent again later, may be answered otherwise.
    pub(crate) fn retryable(self) -> bool {
        matches!(
            self.error_type(),
            ErrorType::RateLimit | ErrorType::Unavailable | ErrorType::Internal
        ) || self == Code::RequestTimeout
    }
}

impl utoipa::PartialSchema for Code {
    fn schema() -> RefOr<Schema> {
        ObjectBuilder::new()
            .schema_type(SchemaType::Type(Type::String))
            .description(Some("What to decide by."))
            .enum_values(Some(Code::ALL.iter().map(|code| code.name())))
            .into()
    }
}

impl utoipa::ToSchema for Code {
    fn name() -> Cow<'static, str> {
        Cow::Borrowed("Code")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn families_are_named_alike_in_both_forms() {
        for code in Code::ALL {
            let family = code.error_type();
            let json = serde_json::to_value(family).expect("a word");
            assert_eq!(json, family.name());
        }
    }
}
