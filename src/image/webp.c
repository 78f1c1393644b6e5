/* WebP through libwebp: lossy and lossless, alpha dropped; of an animation the first frame, on a black canvas. */
#include <webp/decode.h>
#include <webp/demux.h>

#include "image/image.h"

static pg_status read_first_frame(pg_image *image, WebPDemuxer *demuxer, const char *name)
{
    WebPIterator frame;
    if (!WebPDemuxGetFrame(demuxer, 1, &frame))
        return pg_fail(PG_ERROR_FORMAT, "%s: WebP: no frame", name);
    size_t left = (size_t)frame.x_offset, top = (size_t)frame.y_offset;
    size_t width = (size_t)frame.width, height = (size_t)frame.height, stride = image->width * 3;
    pg_status status = PG_OK;
    if (left + width > image->width || top + height > image->height)
        status = pg_fail(PG_ERROR_FORMAT, "%s: WebP: the first frame reaches over the canvas", name);
    else if (!WebPDecodeRGBInto(frame.fragment.bytes, frame.fragment.size, image->pixels + top * stride + left * 3,
                                (height - 1) * stride + width * 3, (int)stride))
        status = pg_fail(PG_ERROR_FORMAT, "%s: WebP: the first frame is damaged", name);
    WebPDemuxReleaseIterator(&frame);
    return status;
}

static void find_orientation(int *orientation, WebPDemuxer *demuxer)
{
    WebPChunkIterator exif;
    if (!WebPDemuxGetChunk(demuxer, "EXIF", 1, &exif))
        return;
    pg_exif_orientation(orientation, exif.chunk.bytes, exif.chunk.size);
    WebPDemuxReleaseChunkIterator(&exif);
}

pg_status pg_webp_decode(pg_image **out, int *orientation, const pg_image_source *source)
{
    WebPData data = {source->bytes, source->size};
    WebPDemuxer *demuxer = WebPDemux(&data);
    if (!demuxer)
        return pg_fail(PG_ERROR_FORMAT, "%s: WebP: the file is damaged or ends early", source->name);
    pg_status status = pg_image_start(out, source, WebPDemuxGetI(demuxer, WEBP_FF_CANVAS_WIDTH),
                                      WebPDemuxGetI(demuxer, WEBP_FF_CANVAS_HEIGHT), 0);
    if (status == PG_OK)
        status = read_first_frame(*out, demuxer, source->name);
    find_orientation(orientation, demuxer);
    WebPDemuxDelete(demuxer);
    return status;
}
