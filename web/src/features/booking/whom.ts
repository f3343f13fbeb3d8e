/** Whom a booking is for: null for oneself, undefined while it is not clear. */
export type Whom = { readonly email: string; readonly name: string } | null | undefined
