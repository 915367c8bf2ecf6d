//! On whose behalf a function runs.

use std::sync::Arc;

use hull_value::Packed;

/// On whose behalf a function runs. Two equal identities may share the results of queries.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub enum Identity {
    /// Nobody has signed in.
    #[default]
    Anonymous,
    /// Somebody who has signed in: the attributes that the function sees.
    User(Arc<UserIdentity>),
    /// The holder of an admin key, who may call internal functions, acting as a user if one is given.
    Admin(Option<Arc<UserIdentity>>),
    /// The system itself: nobody's, and allowed everything.
    System,
}

impl Identity {
    /// Whether internal functions may be called.
    pub fn is_admin(&self) -> bool {
        matches!(self, Identity::Admin(_) | Identity::System)
    }

    /// The user that functions see.
    pub fn user(&self) -> Option<&Arc<UserIdentity>> {
        match self {
            Identity::User(user) => Some(user),
            Identity::Admin(user) => user.as_ref(),
            Identity::Anonymous | Identity::System => None,
        }
    }
}

/// What is known about a user.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct UserIdentity {
    /// Unique among all users: `issuer|subject`.
    pub token_identifier: String,
    /// Who vouches for the user.
    pub issuer: String,
    /// The user's name at the issuer.
    pub subject: String,
    /// All attributes, as `getUserIdentity` gives them.
    pub attributes: Packed,
}
