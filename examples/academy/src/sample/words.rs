//! The words the sample data set is made of.

pub(super) const FIRST_NAMES: &[&str] = &[
    "Ada", "Amir", "Beatriz", "Chen", "Dana", "Elif", "Farid", "Grace", "Hana", "Ines", "Jonas", "Kofi",
    "Lena", "Mateo", "Nadia", "Omar", "Priya", "Quinn", "Rosa", "Sami", "Tomas", "Uma", "Viktor", "Wanda",
    "Yuki", "Zoe", "Aisha", "Bruno", "Clara", "Dario", "Emma", "Felix", "Gloria", "Henrik", "Isla", "Julia",
    "Karim", "Luca", "Mira", "Noah", "Olga", "Paulo", "Ravi", "Sofia", "Theo", "Ursula", "Vera", "Wim",
];

pub(super) const LAST_NAMES: &[&str] = &[
    "Adler",
    "Bauer",
    "Costa",
    "Dubois",
    "Eriksen",
    "Fischer",
    "Garcia",
    "Haddad",
    "Ivanov",
    "Jensen",
    "Kim",
    "Lopez",
    "Moreau",
    "Novak",
    "Okafor",
    "Park",
    "Rossi",
    "Silva",
    "Tanaka",
    "Weber",
    "Andersson",
    "Baptiste",
    "Cohen",
    "Diallo",
    "Evans",
    "Farkas",
    "Greco",
    "Hughes",
    "Ito",
    "Jovanovic",
    "Keller",
    "Lund",
    "Mensah",
    "Nowak",
    "Ozturk",
    "Petrov",
    "Quintana",
    "Rahman",
    "Schmidt",
    "Torres",
];

pub(super) const TIPS: &[&str] = &[
    "Breathe out slowly before you begin.",
    "Open with a question; people like to answer.",
    "Nobody else keeps score.",
    "It counts when you tried.",
    "Keep it short; leave while it is going well.",
];

pub(super) const MOODS: &[&str] = &["calm", "proud", "nervous", "happy", "tired", "curious", "hopeful"];

pub(super) const PEOPLE: &[&str] = &[
    "the neighbour from downstairs",
    "a colleague from the other team",
    "an old friend",
    "somebody new at the gym",
    "the woman who runs the bakery",
    "my cousin",
];

pub(super) const ENDINGS: &[&str] = &[
    "It went better than I had feared.",
    "We laughed a lot.",
    "My voice shook, and nobody minded.",
    "I want to do that again next week.",
    "It was awkward for a minute, then it was fine.",
    "I left early, but I went.",
];

pub(super) const PROMPTS: &[&str] = &[
    "What went well today?",
    "Who did you notice today?",
    "What would you try again?",
    "What felt easier than before?",
    "Whom would you like to thank?",
    "What did you avoid, and why?",
    "Which sentence stays with you?",
    "When did you forget to be nervous?",
    "What did you learn about somebody?",
    "Where did you feel at ease?",
    "What surprised you?",
    "What would you tell a friend who had this day?",
    "How did your body know that you were nervous?",
    "What is the next small step?",
];

pub(super) const TAGS: &[&str] = &["work", "friends", "family", "small-talk", "courage", "rest", "gratitude"];

pub(super) const INTERESTS: &[&str] =
    &["climbing", "cooking", "film", "gardening", "music", "pottery", "running", "chess"];

pub(super) const GOALS: &[&str] = &[
    "Speak in every team meeting",
    "Make one new friend",
    "Host a dinner",
    "Call instead of texting",
    "Join a choir",
];

pub(super) const THEMES: &[&str] = &["light", "dark", "system"];

pub(super) const ICONS: &[&str] = &["star", "flame", "chat", "compass", "leaf", "code", "mountain", "book"];

pub(super) const SCENARIOS: &[&str] = &[
    "Order a coffee",
    "Return a jacket",
    "Ask for directions",
    "Introduce yourself to the team",
    "Say no to an invitation",
    "Ask for a pay rise",
    "Join a conversation",
    "Complain about noise",
    "Rent a flat",
    "Talk at the bus stop",
    "Call the doctor",
    "Thank a teacher",
];

pub(super) const ROLES: &[&str] = &["barista", "colleague", "neighbour", "landlord", "teacher", "stranger"];

pub(super) const SKILLS: &[&str] =
    &["Python", "Juggling", "Chess", "Sketching", "Public speaking", "Handstand", "Algebra", "Rowing"];

pub(super) const TOPICS: &[&str] = &[
    "Variables and values",
    "Keeping balance",
    "Reading faster",
    "Asking better questions",
    "Lists and loops",
    "Breathing",
    "Perspective",
    "Telling a story",
];

pub(super) const TRACKS: &[&str] = &["Content", "Analytics", "Research", "Automation", "Design", "Support"];

pub(super) const PROJECTS: &[&str] = &[
    "Launch a newsletter",
    "Explain a chart",
    "Summarize interviews",
    "Sort incoming mail",
    "Sketch a logo",
    "Answer a complaint",
    "Plan a campaign",
    "Compare two offers",
];

pub(super) const PRACTICE_SKILLS: &[&str] =
    &["generative_ai", "planning", "prompting", "evaluation", "writing", "data"];

pub(super) const INDUSTRIES: &[&str] = &["retail", "health", "education", "travel", "energy", "media"];

pub(super) const AUDIENCES: &[&str] =
    &["students", "parents", "small shops", "nurses", "travellers", "founders"];
