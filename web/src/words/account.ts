/** What the pages about one's own account say. */
export const account = {
  name: "Your name",
  newPassword: "New password",
  toSignIn: "Sign in",
  incomplete: "This link is not complete. Open it from the mail once more, or copy all of it.",
  register: {
    title: "Make an account",
    submit: "Make the account",
    sent: "Look into your mail",
    sentText: (email: string) =>
      `A mail is on its way to ${email}. Open the link in it to confirm that the address is yours. If nothing comes, look among the junk.`,
    known: "You have an account? Sign in",
  },
  forgot: {
    title: "Forgot your password?",
    text: "Give your e-mail address. If there is an account with it, we mail you a link to choose a new password.",
    submit: "Mail me a link",
    sent: "Look into your mail",
    sentText: (email: string) =>
      `If there is an account with ${email}, a mail with a link is on its way. The link works for two hours.`,
  },
  own: {
    title: "Your account",
    signedInAs: (who: string) => `You are signed in as ${who}.`,
    password: "Change your password",
    oldPassword: "Old password",
    changePassword: "Change the password",
    changed: "Your password is changed. You have been signed out on all other devices.",
    signOut: "Sign out here",
    everywhere: "Sign out everywhere",
    everywhereText: "Lost a phone, or used somebody else’s computer? Sign out on all devices at once.",
    strangers: "Sign in to see your account.",
  },
  unconfirmed: {
    text: (email: string) =>
      `Your address ${email} is not confirmed yet. Open the link in the mail that we sent there.`,
    again: "Mail it again",
    sent: "A mail is on its way. If nothing comes, look among the junk.",
  },
  verify: {
    title: "Confirm your address",
    text: "Press the button to confirm that this e-mail address is yours.",
    submit: "Confirm the address",
    done: "Your address is confirmed",
    doneText: "You can sign in and book now.",
  },
  reset: {
    title: "Choose a new password",
    submit: "Set the password",
    done: "Your new password is set",
    doneText: "You have been signed out on all devices. Sign in with the new password.",
    again: "Ask for a new link",
  },
} as const
