# Prints what the partition files hold as JSON: {key: result}, where what only Toolstash reads is "ext 84".
# Reads whole bodies, as the Ruby library can be told to keep unknown ext values.
require 'json'
require 'msgpack'
require 'zlib'

unpacker = MessagePack::Factory.new.unpacker(allow_unknown_ext: true)
found = {}
ARGV.each do |path|
  # GzipReader#read stops after the first member, zcat reads them all.
  unpacker.feed(File.open(path, 'rb') { |file| Zlib::GzipReader.zcat(file) })
  unpacker.each do |entries|
    entries.each do |key, entry|
      next found.delete(key) if entry.nil?

      result = entry['result']
      found[key] = result.is_a?(MessagePack::ExtensionValue) ? "ext #{result.type}" : result
    end
  end
end
puts JSON.generate(found)
