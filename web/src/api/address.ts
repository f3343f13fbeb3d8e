/** Where the API is. Empty in the page's head: where the page came from. */

const given = document.querySelector<HTMLMetaElement>('meta[name="courtside-api"]')?.content.replace(/\/+$/, "")

/** The API's origin. */
export const API = given || location.origin

/** The address of the live grid. */
export const SOCKET = `${API.replace(/^http/, "ws")}/ws/grid`
