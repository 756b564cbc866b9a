<?php
// Prints what the partition files hold as JSON: {key: result}, where what only Toolstash reads is "ext 84".
// Reads entry by entry at the offsets of the header, as the PHP library makes null of any ext value.

$found = [];
foreach (array_slice($argv, 1) as $path) {
    $bytes = file_get_contents($path);
    for ($at = 0; $at < strlen($bytes); $at += $length) {
        $field = $at + 16;
        if (substr($bytes, $at + 12, 2) !== 'TS') {
            throw new RuntimeException("$path: no member of Toolstash at $at");
        }
        $length = unpack('V', $bytes, $field + 4)[1];
        $body = gzdecode(substr($bytes, $at, $length));
        ['count' => $count, 'others' => $others] = unpack('vcount/vothers', $bytes, $field + 56);
        $entries = [];
        for ($index = 0; $index < $count; $index += 1) {
            $entries[] = unpack('H32key/x16/Voffset/x2/Ckind', $bytes, $field + 64 + 8 * $others + 40 * $index);
        }
        foreach ($entries as $index => ['key' => $key, 'offset' => $offset, 'kind' => $kind]) {
            if ($kind <= 1) {
                unset($found[$key]);
            }
            if ($kind !== 0) {
                continue;
            }
            // The next entry's key takes 34 bytes before its value.
            $end = isset($entries[$index + 1]) ? $entries[$index + 1]['offset'] - 34 : strlen($body);
            $value = substr($body, $offset, $end - $offset);
            $isExt = preg_match('/^\x82\xa6result\xc9....\x54/s', $value) === 1;
            $found[$key] = $isExt ? 'ext 84' : msgpack_unpack($value)['result'];
        }
    }
}
echo json_encode($found, JSON_THROW_ON_ERROR), "\n";
