'use strict'

/* global document -- in a function that the page runs */

/**
 * Has a page's video play, go to a place, and go on from there.
 * @param {object} page playwright's
 * @param {number} place in seconds
 * @returns {Promise<{ reached: number, played: number, error: string | undefined }>} where it was then, and a little
 *   later
 */
function seek (page, place) {
  return page.evaluate(async (place) => {
    const video = document.querySelector('video')
    const event = (name) => new Promise((resolve) => {
      for (const each of [name, 'error']) video.addEventListener(each, resolve, { once: true })
    })
    await video.play()
    const seeked = event('seeked')
    video.currentTime = place
    await seeked
    const reached = video.currentTime
    while (video.currentTime <= reached + 0.1 && !video.error) await event('timeupdate')
    return { reached, played: video.currentTime, error: video.error?.message }
  }, place)
}

module.exports = { seek }
