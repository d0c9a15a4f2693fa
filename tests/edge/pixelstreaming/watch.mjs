// What a video shows.

const PATIENCE_MS = 20000;
const SHADES = 30; // What the encoder may make of a colour, of 255.

const near = (colour, wanted) => wanted.every((share, at) => Math.abs(share - colour[at]) < SHADES);

/** The frame that the video shows: which it is, and the colours in the middle of its left and of its right half. */
function look(video) {
    const canvas = new OffscreenCanvas(video.videoWidth, video.videoHeight);
    const brush = canvas.getContext('2d');
    brush.drawImage(video, 0, 0);
    const colour = (x) => [...brush.getImageData(x * canvas.width, canvas.height / 2, 1, 1).data];
    return {
        time: video.currentTime,
        number: video.getVideoPlaybackQuality().totalVideoFrames,
        size: [canvas.width, canvas.height],
        left: colour(0.25),
        right: colour(0.75),
    };
}

/** Waits until the video goes on from one frame with these colours to another one; what it is then. */
export const goesOn = (video, wanted) =>
    new Promise((resolve, reject) => {
        const fits = ({ left, right }) => near(left, wanted.left) && near(right, wanted.right);
        let before = null;
        const next = () => {
            const now = look(video);
            if (before && fits(before) && fits(now) && now.time > before.time && now.number > before.number) {
                resolve(now);
                return;
            }
            before = now;
            video.requestVideoFrameCallback(next);
        };
        video.requestVideoFrameCallback(next);
        setTimeout(() => reject(new Error(`the last frame was ${JSON.stringify(before)}`)), PATIENCE_MS);
    });
